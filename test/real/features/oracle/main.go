// Command oracle runs rules of node-feature-discovery by its own engine: a JSON object a line in, one out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

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

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
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
