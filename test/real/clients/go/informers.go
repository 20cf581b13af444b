package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const namespace = "default"

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "clients"}}, Data: data}
}

// handlers that tell kind and name of what came; what the informer itself is told first counts as any other.
func (s seen) handlers(kind string) cache.ResourceEventHandlerFuncs {
	tell := func(verb string, object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		accessor, err := meta.Accessor(object)
		if err != nil {
			panic(err)
		}
		s.tell(verb, kind+" "+accessor.GetName())
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { tell("added", object) },
		UpdateFunc: func(_, object any) { tell("updated", object) },
		DeleteFunc: func(object any) { tell("deleted", object) },
	}
}

func typedInformers(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return err
	}
	maps := clients.CoreV1().ConfigMaps(namespace)
	for _, name := range []string{"one", "two"} {
		if _, err := maps.Create(ctx, configMap(name, nil), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithTweakListOptions(func(options *metav1.ListOptions) {
		options.LabelSelector = "app=clients"
	}))
	told := make(seen, 100)
	if _, err := factory.Core().V1().ConfigMaps().Informer().AddEventHandler(told.handlers("configmap")); err != nil {
		return err
	}
	factory.Core().V1().Pods().Informer()
	factory.Apps().V1().Deployments().Informer()
	factory.Start(running.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return fmt.Errorf("no informer of %v", kind)
		}
	}
	if err := told.want(ctx, "added configmap one", "added configmap two"); err != nil {
		return err
	}
	three, err := maps.Create(ctx, configMap("three", map[string]string{"a": "1"}), metav1.CreateOptions{})
	if err == nil {
		err = told.want(ctx, "added configmap three")
	}
	if err == nil {
		three.Data["a"] = "2"
		_, err = maps.Update(ctx, three, metav1.UpdateOptions{})
	}
	if err == nil {
		err = told.want(ctx, "updated configmap three")
	}
	if err == nil {
		_, err = maps.Patch(ctx, "one", types.MergePatchType, []byte(`{"metadata":{"labels":{"app":"other"}}}`), metav1.PatchOptions{})
	}
	if err == nil {
		err = told.want(ctx, "deleted configmap one")
	}
	if err == nil {
		err = maps.Delete(ctx, "three", metav1.DeleteOptions{})
	}
	if err == nil {
		err = told.want(ctx, "deleted configmap three")
	}
	stop()
	factory.Shutdown()
	return err
}

func metadataInformers(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return err
	}
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	if _, err := clients.AppsV1().Deployments(namespace).Create(ctx, deployment("web"), metav1.CreateOptions{}); err != nil {
		return err
	}
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	factory := metadatainformer.NewSharedInformerFactory(client, 0)
	told := make(seen, 100)
	if _, err := factory.ForResource(deployments).Informer().AddEventHandler(told.handlers("deployment")); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	factory.Start(running.Done())
	factory.WaitForCacheSync(ctx.Done())
	err = told.want(ctx, "added deployment web")
	resource := client.Resource(deployments).Namespace(namespace)
	if err == nil {
		_, err = resource.Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata":{"annotations":{"a":"b"}}}`), metav1.PatchOptions{})
	}
	if err == nil {
		err = told.want(ctx, "updated deployment web")
	}
	if err == nil {
		_, err = resource.Get(ctx, "web", metav1.GetOptions{})
	}
	if err == nil {
		_, err = resource.List(ctx, metav1.ListOptions{})
	}
	if err == nil {
		err = resource.Delete(ctx, "web", metav1.DeleteOptions{})
	}
	if err == nil {
		err = told.want(ctx, "deleted deployment web")
	}
	stop()
	factory.Shutdown()
	return err
}

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
var widgets = schema.GroupVersionResource{Group: "clients.ballast.dev", Version: "v1", Resource: "widgets"}

func widgetDefinition() *unstructured.Unstructured {
	size := map[string]any{"type": "integer", "minimum": int64(1), "default": int64(3)}
	object := func(properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "properties": properties}
	}
	status := object(map[string]any{"ready": map[string]any{"type": "boolean"}, "replicas": map[string]any{"type": "integer"}})
	version := map[string]any{
		"name": "v1", "served": true, "storage": true,
		"schema":       map[string]any{"openAPIV3Schema": object(map[string]any{"spec": object(map[string]any{"size": size}), "status": status})},
		"subresources": map[string]any{"status": map[string]any{}},
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "widgets.clients.ballast.dev"},
		"spec": map[string]any{
			"group": "clients.ballast.dev", "scope": "Namespaced",
			"names":    map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{version},
		},
	}}
}

func widget(name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "clients.ballast.dev/v1", "kind": "Widget", "metadata": map[string]any{"name": name}, "spec": spec,
	}}
}

// untilServed waits until the definition is established and its resource can be listed.
func untilServed(ctx context.Context, client dynamic.Interface) error {
	return wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := client.Resource(widgets).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err == nil, nil
	})
}

func dynamicInformers(ctx context.Context, config *rest.Config) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	if _, err := client.Resource(definitions).Create(ctx, widgetDefinition(), metav1.CreateOptions{}); err != nil {
		return err
	}
	// A definition is served a moment later; how often one asks until then would be chance.
	time.Sleep(3 * time.Second)
	if err := untilServed(ctx, client); err != nil {
		return err
	}
	resource := client.Resource(widgets).Namespace(namespace)
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	told := make(seen, 100)
	if _, err := factory.ForResource(widgets).Informer().AddEventHandler(told.handlers("widget")); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	factory.Start(running.Done())
	factory.WaitForCacheSync(ctx.Done())
	created, err := resource.Create(ctx, widget("small", map[string]any{}), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	size, _, _ := unstructured.NestedInt64(created.Object, "spec", "size")
	fmt.Println("size", size)
	if err := told.want(ctx, "added widget small"); err != nil {
		return err
	}
	if _, err := resource.Create(ctx, widget("none", map[string]any{"size": int64(0)}), metav1.CreateOptions{}); err == nil {
		return errors.New("a widget of size 0 was taken")
	}
	created.Object["status"] = map[string]any{"ready": true}
	if _, err := resource.UpdateStatus(ctx, created, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if err := told.want(ctx, "updated widget small"); err != nil {
		return err
	}
	applied := widget("small", map[string]any{"size": int64(7)})
	if _, err := resource.Apply(ctx, "small", applied, metav1.ApplyOptions{FieldManager: "clients", Force: true}); err != nil {
		return err
	}
	if err := told.want(ctx, "updated widget small"); err != nil {
		return err
	}
	if _, err := resource.Patch(ctx, "small", types.JSONPatchType, []byte(`[{"op":"remove","path":"/spec/size"}]`), metav1.PatchOptions{}); err != nil {
		return err
	}
	if err := told.want(ctx, "updated widget small"); err != nil {
		return err
	}
	if err := resource.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return err
	}
	err = told.want(ctx, "deleted widget small")
	stop()
	factory.Shutdown()
	return err
}
