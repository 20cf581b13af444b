// What a swap writes: scale upstream, switch our capability, install ours, delete and bring back upstream's objects. Each write names the
// version that it was decided on, and each can be done again.
import { isDeepStrictEqual } from 'node:util'
import { parseDocument } from 'yaml'
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource, parseApiVersion } from '#kube/objects/resource.ts'
import { isAlreadyExists, isNotFound } from '#kube/objects/status.ts'
import { fieldManager } from './own-made.ts'
import type { Ours } from './place.ts'
import { listOf, optional } from './reading.ts'
import { StepFailed } from './step.ts'

interface Wire {
  readonly api: Api
  readonly signal: AbortSignal
}

/** Changes the section of a capability in the file that our controller reads; everything else stays as it is written. */
export async function writeSection(
  { api, signal }: Wire,
  { file, namespace, text }: Pick<Ours, 'file' | 'namespace' | 'text'>,
  capability: string,
  section: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (file === undefined) throw new StepFailed(`the ConfigMap of Ballast in ${namespace} cannot be read`)
  const changed = withSection(text, section, capability)
  if (changed === text) return
  const object = { ...file, data: { ...Object(file['data']), 'config.yaml': changed } }
  await api.resource(builtIn.configmaps).update(object, { namespace, signal, fieldManager })
}

/** `text` with keys of `capabilities.<capability>` set. */
export function withSection(text: string, section: Readonly<Record<string, unknown>>, capability: string): string {
  const document = parseDocument(text === '' ? 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n' : text)
  const before = JSON.stringify(document.toJS())
  for (const [key, value] of Object.entries(section)) document.setIn(['capabilities', capability, key], value)
  const isSame = JSON.stringify(document.toJS()) === before
  return isSame ? text : document.toString({ lineWidth: 0 })
}

const resources: Readonly<Record<string, GroupVersionResource>> = {
  Namespace: builtIn.namespaces,
  CustomResourceDefinition: builtIn.customresourcedefinitions,
  ServiceAccount: builtIn.serviceaccounts,
  ClusterRole: builtIn.clusterroles,
  ClusterRoleBinding: builtIn.clusterrolebindings,
  Role: builtIn.roles,
  RoleBinding: builtIn.rolebindings,
  ConfigMap: builtIn.configmaps,
  Secret: builtIn.secrets,
  Service: builtIn.services,
  PodDisruptionBudget: builtIn.poddisruptionbudgets,
  Deployment: builtIn.deployments,
  CronJob: builtIn.cronjobs,
  DaemonSet: builtIn.daemonsets,
  ResourceQuota: { group: '', version: 'v1', resource: 'resourcequotas' },
  NetworkPolicy: { group: 'networking.k8s.io', version: 'v1', resource: 'networkpolicies' },
  APIService: { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' },
  ValidatingWebhookConfiguration: builtIn.validatingwebhookconfigurations,
  MutatingWebhookConfiguration: builtIn.mutatingwebhookconfigurations,
  CSIDriver: builtIn.csidrivers,
  Certificate: { group: 'cert-manager.io', version: 'v1', resource: 'certificates' },
  Issuer: { group: 'cert-manager.io', version: 'v1', resource: 'issuers' },
  ValidatingAdmissionPolicy: { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingadmissionpolicies' },
  ValidatingAdmissionPolicyBinding: {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    resource: 'validatingadmissionpolicybindings',
  },
  GrafanaDashboard: { group: 'grafana.integreatly.org', version: 'v1beta1', resource: 'grafanadashboards' },
  PodMonitor: { group: 'monitoring.coreos.com', version: 'v1', resource: 'podmonitors' },
  ServiceMonitor: { group: 'monitoring.coreos.com', version: 'v1', resource: 'servicemonitors' },
  VerticalPodAutoscaler: { group: 'autoscaling.k8s.io', version: 'v1', resource: 'verticalpodautoscalers' },
  PrometheusRule: { group: 'monitoring.coreos.com', version: 'v1', resource: 'prometheusrules' },
}

/** Where objects of its kind lie. @throws StepFailed for a kind that no swap writes */
export function resourceOf({ apiVersion, kind }: KubeObject): GroupVersionResource {
  const resource = resources[kind]
  if (resource === undefined || resource.group !== parseApiVersion(apiVersion).group)
    throw new StepFailed(`${apiVersion} ${kind} is nothing that a migration writes`)
  return resource
}

/** Applies them in their order. A monitor whose kind is not served is left out, since its operator is not there; so is an admission policy, before 1.30. */
export async function applyAll({ api, signal }: Wire, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const { namespace } = object.metadata
    const resource = resourceOf(object)
    try {
      await api.resource(resource).apply(object, { namespace, signal, fieldManager, force: true })
    } catch (error) {
      const mayLack = resource.group === 'monitoring.coreos.com' || object.kind.startsWith('ValidatingAdmissionPolicy')
      if (!isNotFound(error) || !mayLack) throw error
    }
  }
}

export const isDefinition = ({ kind }: KubeObject): boolean => kind === 'CustomResourceDefinition'

/** Kinds that somebody else has defined stay as they are: whoever deletes a definition deletes every object of it. */
export async function withoutTheirKinds({ api, signal }: Wire, objects: readonly KubeObject[]): Promise<readonly KubeObject[]> {
  const taken = new Set<string>()
  for (const { metadata } of objects.filter(isDefinition)) {
    const found = await optional(api.resource<KubeObject>(builtIn.customresourcedefinitions).get(metadata.name, { signal }))
    if (found !== undefined && found.metadata.labels?.['app.kubernetes.io/part-of'] !== 'ballast') taken.add(metadata.name)
  }
  return objects.filter(object => !isDefinition(object) || !taken.has(object.metadata.name))
}

/** The first of these roles, bindings and accounts that is not there, or grants otherwise. */
export async function missingRights({ api, signal }: Wire, wanted: readonly KubeObject[]): Promise<string | undefined> {
  for (const object of wanted) {
    const { name, namespace } = object.metadata
    const found = await optional(api.resource(resourceOf(object)).get(name, { namespace, signal }))
    const isSame = ['rules', 'roleRef', 'subjects'].every(field => isDeepStrictEqual(found?.[field], object[field]))
    if (found === undefined || !isSame) return `${object.kind} ${name}`
  }
  return undefined
}

/** As it is to come back: without what the server wrote. */
export function restorable(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object
  const { name, namespace, labels, annotations } = object.metadata
  return {
    ...rest,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  }
}

/** Deletes just these incarnations; what is gone already is gone. */
export async function deleteAll({ api, signal }: Wire, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const { name, namespace, uid } = object.metadata
    try {
      await api.resource(resourceOf(object)).delete(name, {
        namespace,
        signal,
        propagationPolicy: 'Background',
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** What a workload says that is to have no pods. */
export const sleeping: Readonly<Record<string, object>> = { Deployment: { replicas: 0 }, CronJob: { suspend: true } }

/** Brings deleted objects back, Deployments scaled to none and CronJobs suspended; what is there already stays. */
export async function restoreAll({ api, signal }: Wire, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const { namespace } = object.metadata
    const spec: unknown = object['spec']
    const sleep = sleeping[object.kind]
    const asleep = sleep === undefined ? object : { ...object, spec: { ...Object(spec), ...sleep } }
    try {
      await api
        .resource(resourceOf(object))
        .create(object.kind === 'Service' ? anewService(object) : asleep, { namespace, signal, fieldManager })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
}

/** A Service keeps no address of an earlier life; one that never had any stays headless, or its name would lead to none of its pods. */
export function anewService(service: KubeObject): KubeObject {
  const { clusterIP, clusterIPs, ...spec } = Object(service['spec'])
  return { ...service, spec: { ...spec, ...(clusterIP === 'None' ? { clusterIP, clusterIPs } : {}) } }
}

/** Helm's own Secrets of a release: without them Helm knows nothing of it, and an uninstall cannot take anything with it. */
export async function releaseSecrets({ api, signal }: Wire, release: string, namespace: string): Promise<readonly KubeObject[]> {
  return listOf(api, builtIn.secrets, 'Secret', {
    signal,
    namespace,
    labelSelector: `owner=helm,name=${release}`,
    metadataOnly: true,
  })
}

export async function deleteSecrets({ api, signal }: Wire, secrets: readonly KubeObject[]): Promise<void> {
  for (const { metadata } of secrets) {
    try {
      await api.resource(builtIn.secrets).delete(metadata.name, { namespace: metadata.namespace, signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}
