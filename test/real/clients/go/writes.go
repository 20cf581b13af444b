package main

import (
	"context"
	"errors"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// steps runs one after the other and stops at the first error, naming it.
type step struct {
	name string
	run  func() error
}

func inOrder(steps []step) error {
	for _, one := range steps {
		if err := one.run(); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		fmt.Println(one.name)
	}
	return nil
}

// typedClient is what every generated client of a kind has.
type typedClient[T runtime.Object] interface {
	Create(context.Context, T, metav1.CreateOptions) (T, error)
	Update(context.Context, T, metav1.UpdateOptions) (T, error)
	Get(context.Context, string, metav1.GetOptions) (T, error)
	Patch(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (T, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
}

// course creates an object, reads it, writes it back, labels it, and deletes it.
func course[T interface {
	runtime.Object
	metav1.Object
}](ctx context.Context, kind string, client typedClient[T], object T) step {
	return step{kind, func() error {
		created, err := client.Create(ctx, object, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		got, err := client.Get(ctx, created.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		got.SetAnnotations(map[string]string{"clients.ballast.dev/written": "back"})
		if _, err = client.Update(ctx, got, metav1.UpdateOptions{}); err != nil {
			return err
		}
		// The version of before: a conflict.
		if _, err = client.Update(ctx, created, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
			return fmt.Errorf("a stale update was answered with %v", err)
		}
		label := []byte(`{"metadata":{"labels":{"a":"b"}}}`)
		if _, err = client.Patch(ctx, created.GetName(), types.StrategicMergePatchType, label, metav1.PatchOptions{}); err != nil {
			return err
		}
		return client.Delete(ctx, created.GetName(), metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(created.GetUID()))})
	}}
}

func writeKinds(ctx context.Context, config *rest.Config) error {
	c, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return err
	}
	core, apps, batch := c.CoreV1(), c.AppsV1(), c.BatchV1()
	return inOrder([]step{
		course(ctx, "configmap", core.ConfigMaps(namespace), configMap("settings", map[string]string{"a": "b"})),
		course(ctx, "secret", core.Secrets(namespace), secret()),
		course(ctx, "serviceaccount", core.ServiceAccounts(namespace), account()),
		course(ctx, "service", core.Services(namespace), service()),
		course(ctx, "headless service", core.Services(namespace), headlessService()),
		course(ctx, "persistentvolumeclaim", core.PersistentVolumeClaims(namespace), claim("data")),
		course(ctx, "persistentvolume", core.PersistentVolumes(), volume()),
		course(ctx, "resourcequota", core.ResourceQuotas(namespace), quota()),
		course(ctx, "limitrange", core.LimitRanges(namespace), limits()),
		course(ctx, "event", core.Events(namespace), podEvent()),
		course(ctx, "node", core.Nodes(), node("n1")),
		course(ctx, "deployment", apps.Deployments(namespace), deployment("web")),
		course(ctx, "statefulset", apps.StatefulSets(namespace), statefulSet()),
		course(ctx, "daemonset", apps.DaemonSets(namespace), daemonSet()),
		course(ctx, "replicaset", apps.ReplicaSets(namespace), replicaSet()),
		course(ctx, "job", batch.Jobs(namespace), job()),
		course(ctx, "cronjob", batch.CronJobs(namespace), cronJob()),
		course(ctx, "ingress", c.NetworkingV1().Ingresses(namespace), ingress()),
		course(ctx, "networkpolicy", c.NetworkingV1().NetworkPolicies(namespace), networkPolicy()),
		course(ctx, "poddisruptionbudget", c.PolicyV1().PodDisruptionBudgets(namespace), budget()),
		course(ctx, "horizontalpodautoscaler", c.AutoscalingV2().HorizontalPodAutoscalers(namespace), autoscaler()),
		course(ctx, "role", c.RbacV1().Roles(namespace), role()),
		course(ctx, "rolebinding", c.RbacV1().RoleBindings(namespace), roleBinding()),
		course(ctx, "lease", c.CoordinationV1().Leases(namespace), lease()),
		course(ctx, "endpointslice", c.DiscoveryV1().EndpointSlices(namespace), endpointSlice()),
		course(ctx, "storageclass", c.StorageV1().StorageClasses(), storageClass()),
		course(ctx, "priorityclass", c.SchedulingV1().PriorityClasses(), priorityClass()),
	})
}

// writeTyped goes through what controllers do beyond create and update.
func writeTyped(ctx context.Context, config *rest.Config) error {
	c, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return err
	}
	pods, deployments := c.CoreV1().Pods(namespace), c.AppsV1().Deployments(namespace)
	created, updated, patched := metav1.CreateOptions{}, metav1.UpdateOptions{}, metav1.PatchOptions{}
	return inOrder([]step{
		{"namespace", func() error {
			_, err := c.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-"}}, created)
			return err
		}},
		{"node status", func() error {
			one, err := c.CoreV1().Nodes().Create(ctx, node("n1"), created)
			if err != nil {
				return err
			}
			one.Status.Conditions[0].Message = "kubelet is posting ready status"
			one.Status.Addresses = []corev1.NodeAddress{{Type: "InternalIP", Address: "192.0.2.1"}, {Type: "Hostname", Address: "n1"}}
			_, err = c.CoreV1().Nodes().UpdateStatus(ctx, one, updated)
			return err
		}},
		{"pod of an account", func() error {
			if _, err := c.CoreV1().ServiceAccounts(namespace).Create(ctx, account(), created); err != nil {
				return err
			}
			one := pod("web")
			one.Spec.ServiceAccountName = "worker"
			_, err := pods.Create(ctx, one, created)
			return err
		}},
		{"binding", func() error {
			return pods.Bind(ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Target: corev1.ObjectReference{Kind: "Node", Name: "n1"}}, created)
		}},
		{"pod status", func() error {
			one, err := pods.Get(ctx, "web", metav1.GetOptions{})
			if err != nil {
				return err
			}
			one.Status.Phase = corev1.PodRunning
			one.Status.Conditions = append(one.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
			one.Status.ContainerStatuses = []corev1.ContainerStatus{{
				Name: "main", Ready: true, Image: "registry.example/web:v1", Started: ptr.To(true),
				// A kubelet that can resize says what the container has.
				Resources: ptr.To(one.Spec.Containers[0].Resources), AllocatedResources: one.Spec.Containers[0].Resources.Requests,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(1_700_000_000, 0)}},
			}}
			_, err = pods.UpdateStatus(ctx, one, updated)
			return err
		}},
		{"pod status patch", func() error {
			patch := []byte(`{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Tested"}]}}`)
			_, err := pods.Patch(ctx, "web", types.StrategicMergePatchType, patch, patched, "status")
			return err
		}},
		{"ephemeral container", func() error {
			one, err := pods.Get(ctx, "web", metav1.GetOptions{})
			if err != nil {
				return err
			}
			common := corev1.EphemeralContainerCommon{Name: "debug", Image: "registry.example/debug:v1"}
			one.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: common, TargetContainerName: "main"}}
			_, err = pods.UpdateEphemeralContainers(ctx, "web", one, updated)
			return err
		}},
		{"resize", func() error {
			one, err := pods.Get(ctx, "web", metav1.GetOptions{})
			if err != nil {
				return err
			}
			one.Spec.Containers[0].Resources.Requests["cpu"] = resource.MustParse("200m")
			_, err = pods.UpdateResize(ctx, "web", one, updated)
			return err
		}},
		{"eviction", func() error {
			return pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: namespace}})
		}},
		{"immutable fields", func() error {
			one, err := pods.Create(ctx, pod("still"), created)
			if err != nil {
				return err
			}
			one.Spec.NodeName = "n1"
			one.Spec.Containers[0].Env = nil
			if _, err = pods.Update(ctx, one, updated); !apierrors.IsInvalid(err) {
				return fmt.Errorf("answered with %v", err)
			}
			return nil
		}},
		{"scale", func() error {
			if _, err := deployments.Create(ctx, deployment("web"), created); err != nil {
				return err
			}
			scale, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
			if err != nil {
				return err
			}
			scale.Spec.Replicas = 4
			_, err = deployments.UpdateScale(ctx, "web", scale, updated)
			return err
		}},
		{"deployment status", func() error {
			one, err := deployments.Get(ctx, "web", metav1.GetOptions{})
			if err != nil {
				return err
			}
			one.Status.Replicas, one.Status.ObservedGeneration = 4, one.Generation
			_, err = deployments.UpdateStatus(ctx, one, updated)
			return err
		}},
		{"json patch", func() error {
			patch := []byte(`[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"registry.example/web:v2"}]`)
			_, err := deployments.Patch(ctx, "web", types.JSONPatchType, patch, patched)
			return err
		}},
		{"apply", func() error {
			labels := map[string]string{"app": "applied"}
			container := coreapply.Container().WithName("main").WithImage("registry.example/web:v1")
			spec := appsapply.DeploymentSpec().WithReplicas(1).WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
				WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithContainers(container)))
			want := appsapply.Deployment("applied", namespace).WithSpec(spec)
			if _, err := deployments.Apply(ctx, want, metav1.ApplyOptions{FieldManager: "clients"}); err != nil {
				return err
			}
			spec.WithReplicas(2)
			if _, err := deployments.Apply(ctx, want, metav1.ApplyOptions{FieldManager: "other"}); !apierrors.IsConflict(err) {
				return fmt.Errorf("answered with %v", err)
			}
			if _, err := deployments.Apply(ctx, want, metav1.ApplyOptions{FieldManager: "other", Force: true}); err != nil {
				return err
			}
			status := appsapply.Deployment("applied", namespace).WithStatus(appsapply.DeploymentStatus().WithReplicas(2))
			_, err := deployments.ApplyStatus(ctx, status, metav1.ApplyOptions{FieldManager: "status"})
			return err
		}},
		{"refusals", func() error {
			_, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "Wrong_"}}, created)
			if !apierrors.IsInvalid(err) {
				return fmt.Errorf("answered with %v", err)
			}
			if _, err = pods.Get(ctx, "none", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return fmt.Errorf("answered with %v", err)
			}
			if _, err = deployments.Create(ctx, deployment("web"), created); !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("answered with %v", err)
			}
			return nil
		}},
		{"pages", func() error {
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				if _, err := c.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("page-"+name, nil), created); err != nil {
					return err
				}
			}
			options := metav1.ListOptions{LabelSelector: "app=clients", Limit: 2}
			for count := 0; ; count++ {
				list, err := c.CoreV1().ConfigMaps(namespace).List(ctx, options)
				if err != nil {
					return err
				}
				if options.Continue = list.Continue; options.Continue == "" {
					fmt.Println("pages", count+1)
					break
				}
			}
			return c.CoreV1().ConfigMaps(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=clients"})
		}},
		{"reviews", func() error {
			attributes := &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "delete", Resource: "pods"}
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "alice", ResourceAttributes: attributes}}
			answer, err := c.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, created)
			if err != nil {
				return err
			}
			if answer.Status.Allowed {
				return errors.New("alice may delete pods")
			}
			request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](3600)}}
			token, err := c.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "worker", request, created)
			if err != nil {
				return err
			}
			checked, err := c.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token}}, created)
			if err != nil {
				return err
			}
			fmt.Println("token of", checked.Status.User.Username)
			return nil
		}},
		{"deletion options", func() error {
			foreground := metav1.DeletePropagationForeground
			if err := deployments.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
				return err
			}
			return pods.Delete(ctx, "still", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
		}},
	})
}
