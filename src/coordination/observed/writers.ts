// Who wrote a field of an object, by its managed fields, and the name under which users know that writer.
import type { KubeObject, ManagedFieldsEntry } from '#kube/objects/objects.ts'

/** Fields of `spec` whose writers our caches keep. */
type SignedField = 'template' | 'replicas' | 'unschedulable' | 'taints'

export interface Writer {
  readonly manager: string
  /** It wrote through the scale sub-resource. */
  readonly isByScale: boolean
  /** When it last wrote, in milliseconds since 1970; whole seconds of the server's clock. Servers do not date what goes through `scale`. */
  readonly atMs: number | undefined
}

/** Where nothing tells who it was. */
export const somebody = 'somebody'

/** Who last wrote `spec.<field>` of `object`; `undefined` where nobody is known to own it. */
export function lastWriterOf(object: KubeObject, field: SignedField): Writer | undefined {
  const key = `f:${field}`
  return (object.metadata.managedFields ?? [])
    .filter(entry => ownsSpecField(entry, key))
    .map(writerOf)
    .reduce<Writer | undefined>(
      (last, writer) => (last === undefined || ageRank(writer) >= ageRank(last) ? writer : last),
      undefined,
    )
}

/** An undated scale entry that still owns the replicas made them what they are: who shares them has agreed to that. */
function ageRank({ isByScale, atMs }: Writer): number {
  return atMs ?? (isByScale ? Number.POSITIVE_INFINITY : 0)
}

/** Whether a field manager is one of Ballast's own. */
export function isOwnManager(manager: string): boolean {
  return manager === 'ballast' || manager.startsWith('ballast-')
}

const kubectlNames: Readonly<Record<string, string>> = {
  'kubectl-client-side-apply': 'kubectl apply',
  'kubectl-last-applied': 'kubectl apply',
  'kubectl-rollout': 'kubectl rollout restart',
}

/** Managers whose name is the program's and not what users call it. */
const programNames: Readonly<Record<string, string>> = {
  helm: 'Helm',
  keda: 'KEDA',
  'keda-operator': 'KEDA',
  'argocd-controller': 'Argo CD',
  'argocd-application-controller': 'Argo CD',
  'vpa-updater': 'VerticalPodAutoscaler',
}

/** `kubectl-edit` → `kubectl edit`, `kustomize-controller` as it is: what people call a field manager. */
export function knownName(manager: string): string {
  if (manager === '') return somebody
  const name = Object.hasOwn(kubectlNames, manager) ? kubectlNames[manager] : undefined
  if (name !== undefined) return name
  if (manager.startsWith('kubectl-')) return `kubectl ${manager.slice('kubectl-'.length)}`
  return (Object.hasOwn(programNames, manager) ? programNames[manager] : undefined) ?? manager
}

function ownsSpecField({ fieldsV1, subresource }: ManagedFieldsEntry, key: string): boolean {
  const spec = fieldsV1?.['f:spec']
  return subresource !== 'status' && typeof spec === 'object' && spec !== null && Object.hasOwn(spec, key)
}

function writerOf({ manager, subresource, time }: ManagedFieldsEntry): Writer {
  const atMs = time === undefined ? Number.NaN : Date.parse(time)
  return { manager, isByScale: subresource === 'scale', atMs: Number.isFinite(atMs) ? atMs : undefined }
}
