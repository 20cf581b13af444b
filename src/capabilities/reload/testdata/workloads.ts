// Workloads and sources for the tests of decisions: small objects as the API server would give them, and settings from the schema.
import type { KubeObject } from '#kube/objects/objects.ts'
import { reloadConfiguration } from '../config.ts'
import { hashContent } from '../sources/content-hash.ts'
import { type ReloadSettings, reloadSettings } from '../settings.ts'
import { type SourceAnnotations, type SourceState, type SourceType, sourceAnnotations } from '../sources/source-state.ts'
import { type WorkloadFacts, workloadFacts } from '../workloads/workload-facts.ts'

/** The settings that a section of the configuration makes. */
export function settingsFor(section: Readonly<Record<string, unknown>> = {}): ReloadSettings {
  return reloadSettings(reloadConfiguration.parse(section))
}

type Texts = Readonly<Record<string, string>>

interface WorkloadText {
  readonly kind?: string
  readonly apiVersion?: string
  readonly name?: string
  readonly uid?: string
  readonly annotations?: Texts
  readonly templateAnnotations?: Texts
  /** Fields of the template. */
  readonly pod?: Readonly<Record<string, unknown>>
  /** Further fields of `spec`. */
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
  readonly owner?: string
}

const apiVersions: Texts = { Job: 'batch/v1', CronJob: 'batch/v1', Rollout: 'argoproj.io/v1alpha1' }

/** A pod that reads all of `app-config` into its one container `app`. */
const readsAppConfig = {
  containers: [{ name: 'app', envFrom: [{ configMapRef: { name: 'app-config' } }, { secretRef: { name: 's' } }] }],
}

/** An object of the namespace `default`. */
export function workloadObject(given: WorkloadText = {}): KubeObject {
  const { kind = 'Deployment', name = 'web', annotations, templateAnnotations, pod = readsAppConfig } = given
  const template = { metadata: { ...(templateAnnotations && { annotations: templateAnnotations }) }, spec: pod }
  return {
    apiVersion: given.apiVersion ?? apiVersions[kind] ?? 'apps/v1',
    kind,
    metadata: {
      name,
      namespace: 'default',
      uid: given.uid ?? `uid-of-${name}`,
      resourceVersion: '7',
      ...(annotations && { annotations }),
      ...(given.owner !== undefined && { ownerReferences: [{ apiVersion: 'batch/v1', kind: given.owner, name: 'o', uid: 'o' }] }),
    },
    spec: kind === 'CronJob' ? { jobTemplate: { spec: { template } }, ...given.spec } : { template, ...given.spec },
    ...(given.status && { status: given.status }),
  }
}

/** The facts of such an object. */
export function workload(given: WorkloadText = {}, settings: ReloadSettings = settingsFor()): WorkloadFacts {
  return workloadFacts(workloadObject(given), settings)
}

interface SourceText {
  readonly type?: SourceType
  readonly namespace?: string
  readonly name?: string
  readonly uid?: string
  /** As the object has them. */
  readonly annotations?: Texts
  readonly data?: Texts | 'absent' | 'unread'
  readonly changedAtMs?: number
  readonly resourceVersion?: string
}

/** A source, by itself the ConfigMap `app-config` of the namespace `default`. */
export function source(given: SourceText = {}, settings: ReloadSettings = settingsFor()): SourceState {
  const { type = 'configmap', namespace = 'default', name = 'app-config', data = { key: 'value' } } = given
  const annotations: SourceAnnotations = sourceAnnotations(given.annotations, settings.keys)
  const reference = { type, namespace, name }
  const { changedAtMs = 0, uid = 'uid-1', resourceVersion = '1' } = given
  if (data === 'absent') return { reference, annotations, content: 'absent', resourceVersion: '', uid: '', changedAtMs }
  if (data === 'unread') return { reference, annotations, content: 'unread', resourceVersion, uid, changedAtMs }
  const entries = Object.entries(data).map(([key, value]) => ({ key, value: Buffer.from(value), encoded: false }))
  return { reference, annotations, content: hashContent(entries), resourceVersion, uid, changedAtMs }
}
