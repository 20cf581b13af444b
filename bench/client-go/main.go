// A client-go informer of pods that keeps the fields which ours keeps: what it takes beside ours (kube-machinery.md §6.3). Says one line of
// JSON when it is in sync, after a garbage collection.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

type figures struct {
	Objects       int     `json:"objects"`
	SyncedSeconds float64 `json:"syncedSeconds"`
	CPUSeconds    float64 `json:"cpuSeconds"`
	PeakMegabytes float64 `json:"peakMegabytes"`
	HeapBytes     float64 `json:"heapBytes"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(server string) error {
	clients, err := kubernetes.NewForConfig(&rest.Config{Host: server, QPS: -1})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithTransform(withNamedFields))
	pods := factory.Core().V1().Pods().Informer()
	start := time.Now()
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return fmt.Errorf("no informer of %v", kind)
		}
	}
	synced := time.Since(start).Seconds()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	debug.FreeOSMemory()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	objects := len(pods.GetStore().ListKeys())
	return json.NewEncoder(os.Stdout).Encode(figures{
		Objects:       objects,
		SyncedSeconds: synced,
		CPUSeconds:    seconds(usage.Utime) + seconds(usage.Stime),
		PeakMegabytes: float64(usage.Maxrss) / 1024,
		HeapBytes:     float64(memory.HeapAlloc) / float64(objects),
	})
}

func seconds(value syscall.Timeval) float64 {
	return float64(value.Sec) + float64(value.Usec)/1e6
}

// withNamedFields empties what our informers of pods do not keep.
func withNamedFields(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	kept := &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Name:                       pod.Name,
			Namespace:                  pod.Namespace,
			UID:                        pod.UID,
			ResourceVersion:            pod.ResourceVersion,
			Generation:                 pod.Generation,
			CreationTimestamp:          pod.CreationTimestamp,
			DeletionTimestamp:          pod.DeletionTimestamp,
			DeletionGracePeriodSeconds: pod.DeletionGracePeriodSeconds,
			Labels:                     pod.Labels,
			OwnerReferences:            pod.OwnerReferences,
		},
		Spec: corev1.PodSpec{
			NodeName:                      pod.Spec.NodeName,
			Priority:                      pod.Spec.Priority,
			PreemptionPolicy:              pod.Spec.PreemptionPolicy,
			NodeSelector:                  pod.Spec.NodeSelector,
			Affinity:                      pod.Spec.Affinity,
			Tolerations:                   pod.Spec.Tolerations,
			TopologySpreadConstraints:     pod.Spec.TopologySpreadConstraints,
			Overhead:                      pod.Spec.Overhead,
			TerminationGracePeriodSeconds: pod.Spec.TerminationGracePeriodSeconds,
			Containers:                    namedFields(pod.Spec.Containers),
			InitContainers:                namedFields(pod.Spec.InitContainers),
		},
		Status: corev1.PodStatus{Phase: pod.Status.Phase, StartTime: pod.Status.StartTime},
	}
	for _, condition := range pod.Status.Conditions {
		short := corev1.PodCondition{Type: condition.Type, Status: condition.Status, Reason: condition.Reason}
		if condition.Type == corev1.PodScheduled {
			short.LastTransitionTime = condition.LastTransitionTime
		}
		kept.Status.Conditions = append(kept.Status.Conditions, short)
	}
	return kept, nil
}

func namedFields(containers []corev1.Container) []corev1.Container {
	kept := make([]corev1.Container, 0, len(containers))
	for _, container := range containers {
		kept = append(kept, corev1.Container{
			Name: container.Name, Image: container.Image, Ports: container.Ports, Resources: container.Resources,
			RestartPolicy: container.RestartPolicy,
		})
	}
	return kept
}
