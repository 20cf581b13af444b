// The APIService by which API servers know whom to ask: whose it is, and leading it to us and back, each by one conditional write.
import { isDeepStrictEqual } from 'node:util'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict } from '#kube/objects/status.ts'
import { injectAnnotation } from '#kube/server/bundle-injection.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { fieldManager } from '../own-made.ts'
import { optional } from '../reading.ts'
import { savedWith } from '../record.ts'
import { StepFailed, type Swap } from '../step.ts'
import { restorable } from '../writes.ts'

export const apiServices: GroupVersionResource = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' }

type Reach = Pick<Swap, 'api' | 'signal'>

export async function readRegistration({ api, signal }: Reach, name: string): Promise<KubeObject | undefined> {
  const found = await optional(api.resource<KubeObject>(apiServices).get(name, { signal }))
  return found === undefined ? undefined : { ...found, apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService' }
}

/** `namespace/name` of the Service that it leads to. */
export function ledTo(registration: KubeObject | undefined): string | undefined {
  const [namespace, name] = ['namespace', 'name'].map(key => textAt(registration, 'spec', 'service', key))
  return name === undefined ? undefined : `${namespace}/${name}`
}

/** Is it just so: this Service, this authority, no other way to trust it? */
export const isLed = (registration: KubeObject | undefined, wanted: KubeObject): boolean =>
  registration !== undefined &&
  ledTo(registration) === ledTo(wanted) &&
  isDeepStrictEqual(valueAt(registration['spec'], ['caBundle']), valueAt(wanted['spec'], ['caBundle'])) &&
  (valueAt(registration['spec'], ['insecureSkipTLSVerify']) ?? false) ===
    (valueAt(wanted['spec'], ['insecureSkipTLSVerify']) ?? false)

/** By these its owners find an object again: Helm, Flux, Argo CD, kubectl, addon managers, k3s; cert-manager writes its authority into it. */
const marks: readonly RegExp[] = [
  /^app\.kubernetes\.io\//,
  /^helm\.sh\//,
  /^meta\.helm\.sh\//,
  /(^|\.)toolkit\.fluxcd\.io\//,
  /^argocd\.argoproj\.io\//,
  /^kubectl\.kubernetes\.io\//,
  /^addonmanager\.kubernetes\.io\//,
  /^objectset\.rio\.cattle\.io\//,
  /^cert-manager\.io\//,
  /^(k8s-app|app|chart|release|heritage)$/,
]

function unmarked(keys: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(keys).filter(([key]) => !marks.some(mark => mark.test(key))))
}

/** What leads to us in the place of what is there: keys that users added stay, marks of owners go, or their clean-up would take it along. */
export function ledToUs(registration: KubeObject | undefined, wanted: KubeObject): KubeObject {
  if (registration === undefined) return wanted
  const { labels, annotations } = registration.metadata
  return {
    ...wanted,
    metadata: {
      name: wanted.metadata.name,
      ...versionOf(registration),
      labels: { ...unmarked(labels), ...wanted.metadata.labels },
      annotations: { ...unmarked(annotations), ...wanted.metadata.annotations },
    },
  }
}

/**
 * Leads callers to `wanted`, if they are not. What led them elsewhere is kept in the record first.
 * @throws StepFailed where somebody else writes it meanwhile
 */
export async function leadToUs(swap: Swap, wanted: KubeObject): Promise<void> {
  const { record } = swap
  const found = await readRegistration(swap, wanted.metadata.name)
  if (isLed(found, wanted)) return
  if (found !== undefined && ledTo(found) !== ledTo(wanted))
    await record.write({ saved: savedWith(record.saved, { led: [restorable(found)] }) })
  await put(swap, ledToUs(found, wanted), found === undefined)
}

/** Leads them where they were led before, byte for byte. */
export async function leadBack(swap: Swap, before: KubeObject): Promise<void> {
  const found = await readRegistration(swap, before.metadata.name)
  if (found !== undefined && isAsBefore(found, before)) return
  await put(swap, { ...before, metadata: { ...before.metadata, ...versionOf(found) } }, found === undefined)
}

/** What makes a write conditional. */
function versionOf(found: KubeObject | undefined): { readonly resourceVersion?: string; readonly uid?: string } {
  const { resourceVersion, uid } = found?.metadata ?? {}
  return { ...(resourceVersion === undefined ? {} : { resourceVersion }), ...(uid === undefined ? {} : { uid }) }
}

/** Its spec is what was kept, and nothing of ours keeps an authority in it. */
export const isAsBefore = (found: KubeObject, before: KubeObject): boolean =>
  isDeepStrictEqual(found['spec'], before['spec']) &&
  found.metadata.annotations?.[injectAnnotation] === before.metadata.annotations?.[injectAnnotation]

async function put({ api, signal }: Reach, object: KubeObject, isNew: boolean): Promise<void> {
  const registrations = api.resource<KubeObject>(apiServices)
  try {
    await (isNew
      ? registrations.create(object, { signal, fieldManager })
      : registrations.update(object, { signal, fieldManager }))
  } catch (error) {
    if (!isConflict(error) && !isAlreadyExists(error)) throw error
    throw new StepFailed(`somebody else wrote APIService ${object.metadata.name} meanwhile: look who, then begin anew`)
  }
}
