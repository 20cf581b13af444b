// Records what functions of Reloader v1.4.21 answer: for each line of answers.jsonl on standard input its question again, with the answer
// of today. The functions are not exported: put this file as internal/pkg/handler/record.go into a checkout of that version, beside a main
// package that calls handler.Record(), and set kube.IsOpenshift and kube.IsCSIInstalled to false, which otherwise ask a cluster.
package handler

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"regexp"

	"github.com/sirupsen/logrus"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"

	"github.com/stakater/Reloader/internal/pkg/callbacks"
	"github.com/stakater/Reloader/internal/pkg/constants"
	"github.com/stakater/Reloader/internal/pkg/options"
	"github.com/stakater/Reloader/internal/pkg/util"
	"github.com/stakater/Reloader/pkg/common"
)

type question struct {
	Kind     string            `json:"kind"`
	Type     string            `json:"type"`
	Name     string            `json:"name"`
	Object   map[string]string `json:"object"`
	All      bool              `json:"all"`
	Ignored  []string          `json:"ignored"`
	Strategy string            `json:"strategy"`
	Event    string            `json:"event"`
	// Values in base64.
	Data     map[string]string `json:"data"`
	Binary   map[string]string `json:"binary"`
	Workload appsv1.Deployment `json:"workload"`
}

type answer struct {
	Reload     bool          `json:"reload"`
	Sha1       string        `json:"sha1"`
	Variable   string        `json:"variable"`
	Auto       *bool         `json:"auto,omitempty"`
	Updated    *bool         `json:"updated,omitempty"`
	Env        [][][2]string `json:"env,omitempty"`
	Annotation string        `json:"annotation,omitempty"`
}

var observedAt = regexp.MustCompile(`"observedAt":\d+`)

// Record reads lines with `asked` and writes them with `answer`.
func Record() {
	logrus.SetLevel(logrus.PanicLevel)
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		var line struct {
			Asked json.RawMessage `json:"asked"`
		}
		must(json.Unmarshal(scanner.Bytes(), &line))
		var asked question
		must(json.Unmarshal(line.Asked, &asked))
		answered, err := json.Marshal(answerTo(asked))
		must(err)
		fmt.Printf("{\"asked\":%s,\"answer\":%s}\n", line.Asked, answered)
	}
}

func answerTo(asked question) answer {
	options.AutoReloadAll = asked.All
	options.WorkloadTypesToIgnore = asked.Ignored
	options.ReloadStrategy = asked.Strategy
	config := configOf(asked)
	deployment := &asked.Workload
	if deployment.Spec.Template.Annotations == nil {
		deployment.Spec.Template.Annotations = map[string]string{}
	}
	funcs := GetDeploymentRollingUpgradeFuncs()
	funcs.ResourceType = asked.Kind
	decided := common.ShouldReload(config, asked.Kind, callbacks.GetDeploymentAnnotations(deployment),
		callbacks.GetDeploymentPodAnnotations(deployment), common.GetCommandLineOptions())
	variable := constants.EnvVarPrefix + util.ConvertToEnvVarName(asked.Name)
	said := answer{Reload: decided.ShouldReload, Sha1: config.SHAValue, Variable: variable}
	if !decided.ShouldReload {
		return said
	}
	strategy := invokeReloadStrategy
	if asked.Event == "delete" {
		strategy = invokeDeleteStrategy
	}
	updated := strategy(funcs, deployment, config, decided.AutoReload).Result == constants.Updated
	said.Auto, said.Updated = &decided.AutoReload, &updated
	if updated && asked.Strategy == constants.AnnotationsReloadStrategy {
		said.Annotation = observedAt.ReplaceAllString(deployment.Spec.Template.Annotations[getReloaderAnnotationKey()], `"observedAt":0`)
	} else if updated {
		said.Env = variablesOf(deployment.Spec.Template.Spec.Containers)
	}
	return said
}

func configOf(asked question) common.Config {
	if asked.Type == "secret" {
		secret := &v1.Secret{Data: decoded(asked.Data)}
		secret.Name, secret.Namespace, secret.Annotations = asked.Name, "default", asked.Object
		return common.GetSecretConfig(secret)
	}
	configMap := &v1.ConfigMap{Data: map[string]string{}, BinaryData: decoded(asked.Binary)}
	for key, value := range decoded(asked.Data) {
		configMap.Data[key] = string(value)
	}
	configMap.Name, configMap.Namespace, configMap.Annotations = asked.Name, "default", asked.Object
	return common.GetConfigmapConfig(configMap)
}

func decoded(values map[string]string) map[string][]byte {
	all := map[string][]byte{}
	for key, value := range values {
		bytes, err := base64.StdEncoding.DecodeString(value)
		must(err)
		all[key] = bytes
	}
	return all
}

func variablesOf(containers []v1.Container) [][][2]string {
	all := [][][2]string{}
	for _, container := range containers {
		variables := [][2]string{}
		for _, variable := range container.Env {
			variables = append(variables, [2]string{variable.Name, variable.Value})
		}
		all = append(all, variables)
	}
	return all
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
