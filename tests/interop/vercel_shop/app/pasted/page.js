export const dynamic = 'force-dynamic';

export default async function Page() {
  const answer = await fetch(`https://${process.env.PASTED_HOST}/api/stock`, { cache: 'no-store' });
  return <p>{JSON.stringify(await answer.json())}</p>;
}
