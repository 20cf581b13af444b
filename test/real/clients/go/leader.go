package main

import (
	"context"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// electLeader leads for two renewals, releases, and lets a second candidate take over.
func electLeader(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return err
	}
	for _, identity := range []string{"first", "second"} {
		if err := leadOnce(ctx, clients, identity); err != nil {
			return err
		}
	}
	lease, err := clients.CoordinationV1().Leases(namespace).Get(ctx, "clients", metav1.GetOptions{})
	if err != nil {
		return err
	}
	fmt.Println("transitions", *lease.Spec.LeaseTransitions)
	return nil
}

// leadUntilKilled is a candidate, named by IDENTITY, that never gives its lease back.
func leadUntilKilled(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return err
	}
	identity := os.Getenv("IDENTITY")
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: "killed"},
		Client:     clients.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: "killed",
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { fmt.Println("leads", identity) },
			OnStoppedLeading: func() { fmt.Println("stopped", identity) },
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	return nil
}

func leadOnce(ctx context.Context, clients kubernetes.Interface, identity string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: "clients"},
		Client:     clients.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: "clients", ReleaseOnCancel: true,
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				fmt.Println("leads", identity)
				select {
				case <-time.After(2500 * time.Millisecond):
				case <-leading.Done():
				}
				stop()
			},
			OnStoppedLeading: func() { fmt.Println("stopped", identity) },
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	return nil
}
