// Command oracle runs rules of node-feature-discovery by its own engine: a JSON object a line in, one out.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/node-feature-discovery/api/nfd/v1alpha1"
	"sigs.k8s.io/node-feature-discovery/pkg/apis/nfd/nodefeaturerule"
)

type question struct {
	Rule     v1alpha1.Rule     `json:"rule"`
	Features v1alpha1.Features `json:"features"`
}

type answer struct {
	Error   string            `json:"error,omitempty"`
	Matched bool              `json:"matched"`
	Labels  map[string]string `json:"labels,omitempty"`
	Vars    map[string]string `json:"vars,omitempty"`
}

func answerTo(line []byte) (result answer) {
	defer func() {
		if cause := recover(); cause != nil {
			result = answer{Error: fmt.Sprint("panic: ", cause)}
		}
	}()
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: "question: " + err.Error()}
	}
	output, err := nodefeaturerule.Execute(&asked.Rule, &asked.Features, true)
	if err != nil {
		return answer{Error: err.Error()}
	}
	if output.MatchStatus == nil || !output.MatchStatus.IsMatch {
		return answer{}
	}
	return answer{Matched: true, Labels: output.Labels, Vars: output.Vars}
}

// timed runs all questions as often as asked, and prints how many nanoseconds each round took.
func timed(lines *bufio.Scanner, rounds int) {
	var questions []question
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		questions = append(questions, asked)
	}
	for round := 0; round < rounds; round++ {
		start := time.Now()
		for i := range questions {
			// Errors are part of the work: rules that fail are among the questions.
			_, _ = nodefeaturerule.Execute(&questions[i].Rule, &questions[0].Features, true)
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
}

func main() {
	rounds := flag.Int("rounds", 0, "time all questions so often instead of answering them; the features of the first count for all")
	flag.Parse()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	if *rounds > 0 {
		timed(lines, *rounds)
		return
	}
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := out.Encode(answerTo(lines.Bytes())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
