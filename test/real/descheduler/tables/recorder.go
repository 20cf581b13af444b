// Package recorder writes down what upstream's own tests give to its plugins and what the plugins make of it: facts, one JSON object a
// line. The recording program puts this package into a copy of upstream's module and its calls into the copied functions.
package recorder

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"
	"sigs.k8s.io/yaml"
)

// directory is where each test binary writes a file of its own; nothing is written without it.
var directory = os.Getenv("RECORDED_TABLES")

// policies is the package whose tests read whole policies.
const policies = "descheduler"

var mutex sync.Mutex

// asking counts the questions of fit that are under way: those that another one asks are no rows.
var asking atomic.Int32

// What was said since a plugin began to run.
var now struct {
	evictor   any
	limits    any
	evicted   []string
	failed    []string
	shares    any
	metricses metricsclient.Interface
	averages  any
}

func write(row map[string]any) {
	if directory == "" {
		return
	}
	text, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	path := filepath.Join(directory, strings.TrimSuffix(filepath.Base(os.Args[0]), ".test")+".jsonl")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	if _, err := file.Write(append(text, '\n')); err != nil {
		panic(err)
	}
}

// copied keeps what a value says at this moment: plugins and tests change theirs later.
func copied(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return json.RawMessage(text)
}

// isTestOf tells which package's tests run: what another package asks on the way is no row.
func isTestOf(name string) bool {
	return strings.TrimSuffix(filepath.Base(os.Args[0]), ".test") == name
}

// Evictor notes the arguments of the evictor that is made.
func Evictor(args any) {
	mutex.Lock()
	defer mutex.Unlock()
	now.evictor = copied(args)
}

// Limits notes those of the pod evictor that is made.
func Limits(total, node, namespace *uint, gracePeriodSeconds *int64) {
	mutex.Lock()
	defer mutex.Unlock()
	now.limits = copied(map[string]any{"total": total, "node": node, "namespace": namespace, "gracePeriodSeconds": gracePeriodSeconds})
}

// Evicted notes how the eviction of a pod ended.
func Evicted(pod *v1.Pod, ended *error) {
	mutex.Lock()
	defer mutex.Unlock()
	key := pod.Namespace + "/" + pod.Name
	if *ended == nil {
		now.evicted = append(now.evicted, key)
	} else {
		now.failed = append(now.failed, key)
	}
}

// Shares notes what Prometheus was found to say.
func Shares(shares map[string]map[v1.ResourceName]*resource.Quantity) {
	mutex.Lock()
	defer mutex.Unlock()
	now.shares = copied(shares)
}

// Averages notes what a collector says of the nodes, and whom it asks about pods.
func Averages[Usage any](averages map[string]Usage, client metricsclient.Interface) {
	mutex.Lock()
	defer mutex.Unlock()
	now.averages = copied(averages)
	now.metricses = client
}

// shown is the pod as JSON can say it: a deletion at no time would be none.
func shown(pod *v1.Pod) *v1.Pod {
	if pod.DeletionTimestamp == nil || !pod.DeletionTimestamp.IsZero() {
		return pod
	}
	said := pod.DeepCopy()
	said.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	return said
}

// named is the pod with a name, a namespace and a container, which a server demands and some tests leave out.
func named(pod *v1.Pod, number int) *v1.Pod {
	said := shown(pod).DeepCopy()
	if said.Name == "" {
		said.Name = fmt.Sprintf("unnamed-%d", number)
	}
	if said.Namespace == "" {
		said.Namespace = "default"
	}
	if len(said.Spec.Containers) == 0 {
		said.Spec.Containers = []v1.Container{{Name: "main"}}
	}
	return said
}

func objectsOf(client kubernetes.Interface) map[string]any {
	ctx := context.Background()
	all := metav1.ListOptions{}
	objects := map[string]any{}
	keep := func(kind string, list any, err error) {
		if err == nil {
			objects[kind] = copied(list)
		}
	}
	if list, err := client.CoreV1().Pods("").List(ctx, all); err == nil {
		for i := range list.Items {
			list.Items[i] = *shown(&list.Items[i])
		}
		keep("Pod", list.Items, err)
	}
	if list, err := client.CoreV1().Nodes().List(ctx, all); err == nil {
		keep("Node", list.Items, err)
	}
	if list, err := client.CoreV1().Namespaces().List(ctx, all); err == nil {
		keep("Namespace", list.Items, err)
	}
	if list, err := client.CoreV1().PersistentVolumeClaims("").List(ctx, all); err == nil {
		keep("PersistentVolumeClaim", list.Items, err)
	}
	if list, err := client.PolicyV1().PodDisruptionBudgets("").List(ctx, all); err == nil {
		keep("PodDisruptionBudget", list.Items, err)
	}
	if list, err := client.SchedulingV1().PriorityClasses().List(ctx, all); err == nil {
		keep("PriorityClass", list.Items, err)
	}
	return objects
}

// Ran is called as a strategy begins; what it yields is called as it ends.
func Ran(plugin string, args any, client kubernetes.Interface, nodes []*v1.Node) func(failure func() error) {
	mutex.Lock()
	now.evicted, now.failed, now.shares, now.averages, now.metricses = nil, nil, nil, nil, nil
	row := map[string]any{
		"plugin": plugin, "nowMs": time.Now().UnixMilli(), "args": copied(args), "evictor": now.evictor, "limits": now.limits,
		"objects": objectsOf(client), "nodes": copied(nodes),
	}
	mutex.Unlock()
	return func(failure func() error) {
		mutex.Lock()
		defer mutex.Unlock()
		row["evicted"], row["failed"] = now.evicted, now.failed
		if err := failure(); err != nil {
			row["failure"] = err.Error()
		}
		if now.shares != nil {
			row["shares"] = now.shares
		}
		if now.averages != nil {
			row["averages"] = now.averages
			if list, err := now.metricses.MetricsV1beta1().PodMetricses("").List(context.Background(), metav1.ListOptions{}); err == nil {
				row["podMetrics"] = copied(list.Items)
			}
		}
		write(row)
	}
}

// Asked notes the evictor's answer about one pod, where a test of the evictor itself asked.
func Asked(question string, args any, client kubernetes.Interface, pod *v1.Pod, answer *bool) {
	if !isTestOf("defaultevictor") {
		return
	}
	mutex.Lock()
	defer mutex.Unlock()
	write(map[string]any{
		"question": question, "nowMs": time.Now().UnixMilli(), "evictor": copied(args), "objects": objectsOf(client),
		"pod": copied(pod), "answer": *answer,
	})
}

// Checked notes what a validation said.
func Checked(name string, args any, refusal *error) {
	if isTestOf(policies) {
		return
	}
	mutex.Lock()
	defer mutex.Unlock()
	row := map[string]any{"checked": name, "args": copied(args)}
	if *refusal != nil {
		row["refusal"] = (*refusal).Error()
	}
	write(row)
}

// Defaulted is called before defaults are set; what it yields is called after it.
func Defaulted(name string, args any) func() {
	if isTestOf(policies) {
		return func() {}
	}
	before := copied(args)
	return func() {
		mutex.Lock()
		defer mutex.Unlock()
		write(map[string]any{"defaulted": name, "args": before, "with": copied(args)})
	}
}

// Decoded notes whether a whole policy was accepted.
func Decoded(policy []byte, refusal *error) {
	text, err := yaml.YAMLToJSON(policy)
	if err != nil {
		panic(err)
	}
	row := map[string]any{"policy": json.RawMessage(text)}
	if *refusal != nil {
		row["refusal"] = (*refusal).Error()
	}
	mutex.Lock()
	defer mutex.Unlock()
	write(row)
}

// Fitted is called as the question begins whether a pod fits one of the nodes; what it yields is called with the answer.
func Fitted(question string, podsOn func(node string) ([]*v1.Pod, error), pod *v1.Pod, nodes ...*v1.Node) func(answer func() bool) {
	isOutermost := asking.Add(1) == 1
	return func(answer func() bool) {
		asking.Add(-1)
		if !isOutermost || !isTestOf("node") {
			return
		}
		pods := []*v1.Pod{named(pod, 0)}
		for _, node := range nodes {
			there, err := podsOn(node.Name)
			if err != nil {
				panic(err)
			}
			for _, one := range there {
				if one.Name != pod.Name || one.Namespace != pod.Namespace {
					pods = append(pods, named(one, len(pods)))
				}
			}
		}
		mutex.Lock()
		defer mutex.Unlock()
		write(map[string]any{
			"fit": question, "nowMs": time.Now().UnixMilli(), "pod": copied(pods[0]), "nodes": copied(nodes),
			"objects": map[string]any{"Pod": copied(pods)}, "answer": answer(),
		})
	}
}
