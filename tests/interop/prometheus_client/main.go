// Asks a Prometheus API everything that Grafana's data source asks, by Prometheus' own Go client, whose decoder is the
// one that Grafana uses. Prints one line per question; ends with status 1 at the first answer that cannot be read.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

func main() {
	client, err := api.NewClient(api.Config{Address: os.Args[1]})
	check("client", err)
	seconds, err := strconv.ParseInt(os.Args[2], 10, 64)
	check("time", err)
	end := time.Unix(seconds, 0)
	start := end.Add(-time.Hour)
	asked, ctx := v1.NewAPI(client), context.Background()

	for _, query := range os.Args[3:] {
		value, _, _, err := asked.Query(ctx, query, end)
		check(query, err)
		fmt.Printf("instant %s %s %d\n", query, value.Type(), len(value.String()))
		value, _, _, err = asked.QueryRange(ctx, query, v1.Range{Start: start, End: end, Step: time.Minute})
		check(query, err)
		fmt.Printf("range %s %s %d\n", query, value.Type(), len(value.String()))
	}
	series, _, _, err := asked.Series(ctx, []string{"traces_service_graph_request_total"}, start, end)
	check("series", err)
	fmt.Printf("series %d\n", len(series))
	names, _, _, err := asked.LabelNames(ctx, nil, start, end)
	check("labels", err)
	fmt.Printf("labels %d\n", len(names))
	values, _, _, err := asked.LabelValues(ctx, "client", nil, start, end)
	check("values", err)
	fmt.Printf("values %d\n", len(values))
	kinds, err := asked.Metadata(ctx, "", "")
	check("metadata", err)
	fmt.Printf("metadata %d\n", len(kinds))
	exemplars, err := asked.QueryExemplars(ctx, "traces_service_graph_request_total", start, end)
	check("exemplars", err)
	fmt.Printf("exemplars %d\n", len(exemplars))
	rules, err := asked.Rules(ctx, nil)
	check("rules", err)
	fmt.Printf("rules %d\n", len(rules.Groups))
	build, err := asked.Buildinfo(ctx)
	check("buildinfo", err)
	fmt.Printf("buildinfo %s\n", build.Version)
	_, _, _, err = asked.Query(ctx, "rate(bindtrace_calls_total", end)
	refused, known := err.(*v1.Error)
	if !known || refused.Type != v1.ErrBadData {
		fmt.Printf("a bad query was answered %v\n", err)
		os.Exit(1)
	}
	fmt.Printf("refused %s\n", refused.Type)
}

func check(what string, err error) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}
