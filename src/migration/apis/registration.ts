// The APIService by which API servers know whom to ask: whose it is, and leading it to us and back, each by one conditional write.
import { isDeepStrictEqual } from 'node:util'
import { ledSinceAnnotation } from '#kube/objects/led-since.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict } from '#kube/objects/status.ts'
import { injectAnnotation } from '#kube/server/bundle-injection.ts'
import { formatTime } from '#kube/time/time.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { fieldManager } from '../own-made.ts'
import { optional } from '../reading.ts'
import { type Saved, savedWith } from '../record.ts'
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

const isMark = (key: string): boolean => marks.some(mark => mark.test(key))

function keysWhere(keys: Readonly<Record<string, string>> = {}, isKept: (key: string) => boolean) {
  return Object.fromEntries(Object.entries(keys).filter(([key]) => isKept(key)))
}

const unmarked = (keys: Readonly<Record<string, string>> | undefined) => keysWhere(keys, key => !isMark(key))

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
  const isAnothers = found !== undefined && ledTo(found) !== ledTo(wanted)
  if (isAnothers)
    await record.write({ saved: savedWith(record.saved, { led: [...besides(record.saved, found), restorable(found)] }) })
  await put(swap, ledToUs(found, isAnothers ? ledSince(wanted, swap.clock.now()) : wanted), found === undefined)
}

/** What else leads to ours. */
const besides = (saved: Saved | undefined, { kind, metadata }: KubeObject): readonly KubeObject[] =>
  (saved?.led ?? []).filter(one => one.kind !== kind || one.metadata.name !== metadata.name)

/** It says since when: ours may answer as the other did for a while. */
export function ledSince(wanted: KubeObject, nowMs: number): KubeObject {
  const annotations = { ...wanted.metadata.annotations, [ledSinceAnnotation]: formatTime(nowMs) }
  return { ...wanted, metadata: { ...wanted.metadata, annotations } }
}

/** Leads them where they were led before, by the very spec that was kept. */
export async function leadBack(swap: Swap, before: KubeObject, authority: Authority = 'kept'): Promise<void> {
  const found = await readRegistration(swap, before.metadata.name)
  if (found !== undefined && isAsBefore(found, before, authority)) return
  await put(swap, ledBack(found, before), found === undefined)
}

/** What led them before in the place of what is there: keys that users have added, changed or taken away meanwhile stay so. */
export function ledBack(found: KubeObject | undefined, before: KubeObject): KubeObject {
  if (found === undefined) return before
  const keysOf = (field: 'labels' | 'annotations') => ({
    ...keysWhere(before.metadata[field], key => isMark(key) || isOurs(key)),
    ...keysWhere(found.metadata[field], key => !isMark(key) && !isOurs(key)),
  })
  const [labels, annotations] = [keysOf('labels'), keysOf('annotations')]
  return { ...before, metadata: { name: before.metadata.name, ...versionOf(found), labels, annotations } }
}

const isOurs = (key: string): boolean => key.startsWith('ballast.dev/')

/** What makes a write conditional. */
function versionOf(found: KubeObject | undefined): { readonly resourceVersion?: string; readonly uid?: string } {
  const { resourceVersion, uid } = found?.metadata ?? {}
  return { ...(resourceVersion === undefined ? {} : { resourceVersion }), ...(uid === undefined ? {} : { uid }) }
}

/** `written`: upstream itself writes the authority that it is judged by, and may have written another since. */
export type Authority = 'kept' | 'written'

/** Its spec is what was kept, and nothing of ours keeps an authority in it. */
export const isAsBefore = (found: KubeObject, before: KubeObject, authority: Authority = 'kept'): boolean =>
  isDeepStrictEqual(specOf(found, authority), specOf(before, authority)) &&
  found.metadata.annotations?.[injectAnnotation] === before.metadata.annotations?.[injectAnnotation]

function specOf({ spec }: KubeObject, authority: Authority): unknown {
  const { caBundle, ...rest } = Object(spec)
  return authority === 'kept' ? spec : { ...rest, hasAuthority: caBundle !== undefined && caBundle !== '' }
}

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
