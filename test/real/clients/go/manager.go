package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	controllerruntime "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/go-logr/logr"
)

const finalizer = "clients.ballast.dev/tidy"

// copier keeps a Deployment for each labelled ConfigMap, as small operators do: finalizer, owner reference, status patch.
type copier struct {
	client.Client
	told seen
}

func (c *copier) Reconcile(ctx context.Context, request controllerruntime.Request) (controllerruntime.Result, error) {
	none := controllerruntime.Result{}
	var source corev1.ConfigMap
	if err := c.Get(ctx, request.NamespacedName, &source); err != nil {
		return none, client.IgnoreNotFound(err)
	}
	if !source.DeletionTimestamp.IsZero() {
		if controllerutil.RemoveFinalizer(&source, finalizer) {
			if err := c.Update(ctx, &source); err != nil {
				return none, err
			}
			c.told.tell("finalized", source.Name)
		}
		return none, nil
	}
	if controllerutil.AddFinalizer(&source, finalizer) {
		return none, c.Update(ctx, &source)
	}
	made := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: source.Name, Namespace: source.Namespace}}
	result, err := controllerutil.CreateOrUpdate(ctx, c.Client, made, func() error {
		made.Spec.Selector = selecting(source.Name)
		made.Spec.Replicas = ptr.To[int32](1)
		if made.Spec.Template.Labels == nil {
			made.Spec.Template = template(source.Name)
		}
		made.Spec.Template.Spec.Containers[0].Image = source.Data["image"]
		return controllerutil.SetControllerReference(&source, made, c.Scheme())
	})
	if err != nil || result == controllerutil.OperationResultNone {
		return none, err
	}
	before := made.DeepCopy()
	made.Status.ObservedGeneration, made.Status.Replicas = made.Generation, 1
	if err := c.Status().Patch(ctx, made, client.MergeFrom(before)); err != nil {
		return none, err
	}
	c.told.tell(string(result), source.Name)
	return none, nil
}

func runManager(ctx context.Context, config *rest.Config) error {
	log.SetLogger(logr.Discard())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	manager, err := controllerruntime.NewManager(config, controllerruntime.Options{
		Metrics:          server.Options{BindAddress: "0"},
		LeaderElection:   true,
		LeaderElectionID: "copier.clients.ballast.dev", LeaderElectionNamespace: namespace, LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return err
	}
	reconciler := &copier{Client: manager.GetClient(), told: make(seen, 100)}
	mine := predicate.NewPredicateFuncs(func(object client.Object) bool { return object.GetLabels()["app"] == "clients" })
	// What follows from the copier's own writes needs no second look.
	changed := predicate.Funcs{UpdateFunc: func(update event.UpdateEvent) bool {
		return !apiEqual(update.ObjectOld, update.ObjectNew)
	}}
	err = controllerruntime.NewControllerManagedBy(manager).For(&corev1.ConfigMap{}, forOptions(mine, changed)).Owns(&appsv1.Deployment{}, ownsNothing()).Complete(reconciler)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	direct, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	err = drive(ctx, direct, reconciler.told)
	stop()
	if endedWith := <-ended; err == nil {
		err = endedWith
	}
	return err
}

// drive is the user of the copier: it creates, changes and deletes a ConfigMap and waits for what the copier says.
func drive(ctx context.Context, direct client.Client, told seen) error {
	source := configMap("copied", map[string]string{"image": "registry.example/web:v1"})
	source.Namespace = namespace
	if err := direct.Create(ctx, source); err != nil {
		return err
	}
	if err := told.want(ctx, "created copied"); err != nil {
		return err
	}
	if err := direct.Get(ctx, client.ObjectKeyFromObject(source), source); err != nil {
		return err
	}
	source.Data["image"] = "registry.example/web:v2"
	if err := direct.Update(ctx, source); err != nil {
		return err
	}
	if err := told.want(ctx, "updated copied"); err != nil {
		return err
	}
	if err := direct.Delete(ctx, source); err != nil {
		return err
	}
	if err := told.want(ctx, "finalized copied"); err != nil {
		return err
	}
	err := direct.Get(ctx, client.ObjectKeyFromObject(source), source)
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("the copied ConfigMap is still there: %v", err)
	}
	fmt.Println("gone copied")
	return nil
}

// forOptions asks for objects of ours, and for each again only when something but its bookkeeping changed.
func forOptions(mine predicate.Predicate, changed predicate.Predicate) builder.Predicates {
	return builder.WithPredicates(mine, changed)
}

// ownsNothing has the cache follow Deployments without a second look at each.
func ownsNothing() builder.Predicates {
	return builder.WithPredicates(predicate.NewPredicateFuncs(func(client.Object) bool { return false }))
}

// apiEqual tells whether two states of a ConfigMap ask for the same work.
func apiEqual(before client.Object, after client.Object) bool {
	left, right := before.(*corev1.ConfigMap), after.(*corev1.ConfigMap)
	return maps.Equal(left.Data, right.Data) && slices.Equal(left.Finalizers, right.Finalizers) && left.DeletionTimestamp.Equal(right.DeletionTimestamp)
}
