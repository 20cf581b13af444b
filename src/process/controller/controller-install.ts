// What a controller outside of an installation brings along: its own kinds where they are absent, and its namespace.
import type { Capability } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import { type Log, messageOf, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isForbidden, isNotFound } from '#kube/objects/status.ts'
import { absentFields } from '#kube/schema/absent-fields.ts'
import { controllerLease } from '../own-names.ts'

interface InstallOptions {
  readonly capabilities: readonly Capability[]
  /** Our own namespace. */
  readonly namespace: string
  readonly clock: Clock
  readonly log: Log
  readonly events: Pick<EventRecorder, 'emit'>
}

const refusedAgainMs = 60_000
/** Fields of a kind that an Event names; the log has all. */
const mostFieldsTold = 5
const upgradeKinds = 'ballast manifests --only crds | kubectl apply --server-side --force-conflicts -f -'

/**
 * Kinds and namespace, tried until the server answers: it may be on its way up, as we are. What is refused holds up nobody: it is said, and
 * tried again beside all else, since rights come and go.
 */
export async function installOurs(api: Api, options: InstallOptions, signal: AbortSignal): Promise<void> {
  if (await tryInstalling(api, options, signal)) return
  const { clock, log } = options
  const again = async () => {
    const quiet = { ...options, log: silentLog }
    do await clock.after(refusedAgainMs, signal)
    while (!(await tryInstalling(api, quiet, signal)))
  }
  again().catch((error: unknown) => {
    if (!signal.aborted) log.error({ why: messageOf(error) }, 'what was refused at the start is not tried again')
  })
}

/** Whether all is there; `false` where something was refused. */
async function tryInstalling(api: Api, options: InstallOptions, signal: AbortSignal): Promise<boolean> {
  const { clock, log } = options
  const install = async () => {
    const hasKinds = await installDefinitions(api, options, signal)
    return (await ensureNamespace(api, options, signal)) && hasKinds
  }
  try {
    return await untilDone(install, { clock, log, what: 'our kinds and namespace are installed' }, signal)
  } catch (error) {
    if (signal.aborted) return true
    throw error
  }
}

/** Applies kinds of ours that the server does not know. Where we may not, the chart or an administrator has to: it is said, and the watches wait. */
async function installDefinitions(api: Api, options: InstallOptions, signal: AbortSignal): Promise<boolean> {
  const { capabilities, log } = options
  let isWhole = true
  const { resources } = await api.discover(signal)
  // Capabilities share some of them.
  const kinds = new Map(capabilities.flatMap(capability => capability.kinds.map(kind => [`${kind.plural}.${kind.group}`, kind])))
  for (const { group, plural, definition, owner } of kinds.values()) {
    const isServed = resources.some(resource => resource.group === group && resource.resource === plural)
    if (definition === undefined || owner !== 'ours') continue
    if (isServed) {
      await tellOlder(api, definition, options, signal)
      continue
    }
    try {
      await api
        .resource<KubeObject>(builtIn.customresourcedefinitions)
        .apply(definition, { signal, fieldManager: 'ballast-install', force: true })
      log.info({ kind: definition.metadata.name }, 'kind installed')
    } catch (error) {
      if (!isForbidden(error)) throw error
      isWhole = false
      log.error(
        { kind: definition.metadata.name, why: error.message },
        "kind is absent and may not be installed by us: run this once with an administrator's kubeconfig",
      )
    }
  }
  return isWhole
}

/** A kind that is there belongs to whoever installed it. Where it lacks fields of ours, what we write there is dropped without an error. */
async function tellOlder(
  api: Api,
  definition: KubeObject,
  { log, events, namespace }: InstallOptions,
  signal: AbortSignal,
): Promise<void> {
  const { name } = definition.metadata
  try {
    const present = await api.resource<KubeObject>(builtIn.customresourcedefinitions).get(name, { signal })
    const fields = absentFields(present, definition)
    if (fields.length === 0) return
    log.warn({ kind: name, fields }, `kind is older than this program, and the API server drops these fields: ${upgradeKinds}`)
    const shown = fields.slice(0, mostFieldsTold).join(', ')
    const more = fields.length > mostFieldsTold ? ` and ${fields.length - mostFieldsTold} more` : ''
    events.emit({
      type: 'Warning',
      reason: 'CRDOutdated',
      action: 'Install',
      regarding: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name: controllerLease },
      note: `CustomResourceDefinition ${name} is older than this program: the API server drops ${shown}${more}. ${upgradeKinds}`,
    })
  } catch (error) {
    // It is served, so that all works but for this advice.
    if (!isForbidden(error) && !isNotFound(error)) throw error
  }
}

/** Our own namespace, for the Lease and what steers nodes. Where we may not make it, it is said how somebody can; the election waits for it. */
async function ensureNamespace(api: Api, { namespace, log }: InstallOptions, signal: AbortSignal): Promise<boolean> {
  const namespaces = api.resource<KubeObject>(builtIn.namespaces)
  try {
    await namespaces.get(namespace, { signal })
    return true
  } catch (error) {
    // A process that may not read it may still work in it.
    if (isForbidden(error)) return false
    if (!isNotFound(error)) throw error
  }
  try {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
    await namespaces.create(object, { signal, fieldManager: 'ballast-install' })
    log.info({ namespace }, 'namespace made')
    return true
  } catch (error) {
    if (isAlreadyExists(error)) return true
    if (!isForbidden(error)) throw error
    log.error(
      { namespace, why: error.message },
      `namespace is absent and may not be made by us: kubectl create namespace ${namespace}`,
    )
    return false
  }
}
