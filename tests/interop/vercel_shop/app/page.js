export const dynamic = 'force-dynamic';

export default async function Page() {
  const answer = await fetch(`${process.env.BACKEND_URL}/api/stock`, { cache: 'no-store' });
  return <p>{JSON.stringify(await answer.json())}</p>;
}
