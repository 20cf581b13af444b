// Answers each question on standard input (a JSON array a line) as Kubernetes' own libraries do: one line
// [question, answer] each. `answers.jsonl` was made by it with apimachinery v0.36.4 and robfig/cron v3.0.1:
//
//	go mod init record && go get k8s.io/apimachinery@v0.36.4 github.com/robfig/cron/v3@v3.0.1
//	go run record.go < questions.jsonl > answers.jsonl
//
// The questions are the first elements of the answers' lines.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/duration"
)

func answer(question []string) []string {
	text := question[1]
	switch question[0] {
	case "quantity":
		quantity, err := resource.ParseQuantity(text)
		if err != nil {
			return []string{"error", err.Error()}
		}
		return []string{quantity.String(), string(quantity.Format), fmt.Sprint(quantity.Value()), fmt.Sprint(quantity.MilliValue())}
	case "sum":
		sum := resource.MustParse(text)
		sum.Add(resource.MustParse(question[2]))
		return []string{sum.String(), string(sum.Format)}
	case "selector":
		selector, err := labels.Parse(text)
		if err != nil {
			return []string{"error", err.Error()}
		}
		return []string{selector.String(), fmt.Sprint(selector.Matches(labels.Set{"a": question[2], "b": "6"}))}
	case "field-selector":
		selector, err := fields.ParseSelector(text)
		if err != nil {
			return []string{"error", err.Error()}
		}
		return []string{selector.String()}
	case "duration":
		parsed, err := time.ParseDuration(text)
		if err != nil {
			return []string{"error", err.Error()}
		}
		return []string{fmt.Sprint(int64(parsed)), parsed.String()}
	case "age":
		milliseconds, _ := strconv.ParseInt(text, 10, 64)
		age := time.Duration(milliseconds) * time.Millisecond
		return []string{duration.HumanDuration(age), duration.ShortHumanDuration(age)}
	case "cron":
		schedule, err := cron.ParseStandard("TZ=" + question[2] + " " + text)
		if err != nil {
			return []string{"error", err.Error()}
		}
		after, _ := time.Parse(time.RFC3339, question[3])
		next := schedule.Next(after)
		if next.IsZero() {
			return []string{"never"}
		}
		return []string{next.UTC().Format(time.RFC3339)}
	}
	panic("unknown question: " + question[0])
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		var question []string
		if err := json.Unmarshal(lines.Bytes(), &question); err != nil {
			panic(err)
		}
		if err := encoder.Encode([][]string{question, answer(question)}); err != nil {
			panic(err)
		}
	}
}
