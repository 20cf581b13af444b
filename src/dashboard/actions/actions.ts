// The writes that viewers ask for: each is held against what they saw, sent once, and told.

import { hostname } from 'node:os'
import type { Api, WriteOptions } from '#kube/client/api.ts'
import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import { eventObject } from '#kube/events/event-object.ts'
import { type Log, messageOf, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { apiVersionOf, builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict, isForbidden, isNotFound, StatusError } from '#kube/objects/status.ts'
import type { Random } from '#kube/random.ts'
import { formatTime } from '#kube/time/time.ts'
import type { ActionBody, ActionDone, ActionName } from '../contract.ts'
import { twinActions } from '../contract-names.ts'
import type { Picture } from '../picture.ts'
import { bodyRefusal } from './body-check.ts'
import { kubectlText } from './kubectl-lines.ts'
import { lackSentence, type NeededRight } from './needed-rights.ts'
import { guarded } from './plan-guard.ts'
import { type ActionRefusal, refusal, targetGone } from './refusal.ts'
import { eventOf } from './tell.ts'
import type { Write } from './write.ts'
import { reasonText, writeOf } from './write-of.ts'

const fieldManager = 'ballast-dashboard'
/** How long the server may work on a write, and how long its answer is waited for. */
const serverTimeout = '4s'
const answerMs = 8_000
const eventAnswerMs = 5_000
/** Names `page-<n>` that are tried for one fault. */
const faultNames = 20
/** Characters of a viewer's name in annotations and Events. */
const longestViewer = 253

export interface TwinControl {
  /** Loads the source anew. */
  reset(): Promise<void>
}

interface Asking {
  readonly viewer: string
  /** With the rights of whoever asks, or with ours where they were reviewed. */
  readonly api: Api
  /** As of now. */
  readonly picture: Picture
}

export interface Actions extends AsyncDisposable {
  /**
   * Does what `action` says, by one write that is never repeated: where its answer is lost the refusal says that nobody knows.
   * Rejects only with what is no answer of the API server and no broken connection: a bug.
   */
  perform(action: ActionName, body: ActionBody, asking: Asking): Promise<ActionDone | ActionRefusal>
}

interface ActionsOptions {
  readonly random: Random
  readonly log?: Log
  readonly twin?: TwinControl | undefined
}

/** Disposing waits for Events that are on their way. */
export function openActions({ random, log = silentLog, twin }: ActionsOptions): Actions {
  const told = new Set<Promise<void>>()
  const stop = new AbortController()
  let resetting: Promise<void> | undefined

  const tell = (action: ActionName, body: ActionBody, asking: Asking, regarding: KubeObject) => {
    const { apiVersion, kind, metadata } = regarding
    const { namespace, name, uid } = metadata
    const event = eventOf(action, body, {
      viewer: asking.viewer,
      regarding: {
        apiVersion,
        kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
      },
    })
    if (event === undefined) return
    const sending = sendEvent(event, asking, { random, signal: stop.signal })
      .catch((error: unknown) => log.warn({ action, object: `${kind} ${name}`, why: messageOf(error) }, 'an action was not told'))
      .finally(() => told.delete(sending))
    told.add(sending)
  }

  const reset = async () => {
    if (twin === undefined) return
    resetting ??= twin.reset().finally(() => {
      resetting = undefined
    })
    await resetting
  }

  return {
    async perform(action, body, given) {
      const asking = { ...given, viewer: reasonText(given.viewer).slice(0, longestViewer) }
      const { picture } = asking
      const isOfTwin = twinActions.some(one => one === action)
      if (isOfTwin && (picture.mode !== 'twin' || (action === 'twin/reset' && twin === undefined))) return noTwin
      const checked = checkedBody(action, body, picture)
      if (!checked.ok) return checked.refusal
      for (let attempt = 1; ; attempt++) {
        const named = action === 'twin/fault' ? { ...checked.body, name: faultName(picture, attempt) } : checked.body
        const write = writeOf(action, named, {
          viewer: asking.viewer,
          time: formatTime(picture.nowMs),
          ownNamespace: picture.ownNamespace,
        })
        try {
          if (write.verb === 'reset') await reset()
          else {
            const written = await send(write, asking.api, stop.signal)
            tell(action, named, asking, written)
          }
          return { done: true, kubectl: kubectlText(write), revision: revisionOf(picture) }
        } catch (error) {
          // The server says that it wrote nothing: another name is another write.
          if (action === 'twin/fault' && isAlreadyExists(error) && attempt < faultNames) continue
          return refusalOf(error, { action, write, picture })
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(told)
      stop.abort(new DOMException('the actions are closed', 'AbortError'))
    },
  }
}

const noTwin = refusal('twin-only', {
  status: 404,
  message: 'This is no twin: its time and faults are not ours to set.',
  remedy: null,
})

function revisionOf({ epoch, sequence }: Picture): string {
  return `${epoch}.${sequence}`
}

function checkedBody(
  action: ActionName,
  body: ActionBody,
  picture: Picture,
): { readonly ok: true; readonly body: ActionBody } | { readonly ok: false; readonly refusal: ActionRefusal } {
  const bad = bodyRefusal(action, body, picture)
  if (bad !== undefined) return { ok: false, refusal: bad }
  if (action === 'approve' || action === 'step' || action === 'withdraw' || action === 'pause' || action === 'resume') {
    const plan = picture.book.plans.find(one => one.metadata.name === body.plan)
    if (plan === undefined) return { ok: false, refusal: targetGone(`There is no plan ${body.plan}.`) }
    const policy = picture.book.policies.find(one => one.metadata.name === plan.spec.policyRef.name)
    return guarded(action, body, plan, { revision: revisionOf(picture), policy })
  }
  return { ok: true, body }
}

/** The `attempt`-th name for a fault that the picture does not know. */
function faultName({ twin }: Picture, attempt: number): string {
  const taken = new Set(twin?.faults.map(fault => fault.metadata.name))
  let free = 0
  for (let number = 1; ; number++) {
    if (!taken.has(`page-${number}`)) free++
    if (free === attempt) return `page-${number}`
  }
}

/** The one request of a write. @returns the object that was written, at least its metadata */
async function send(write: Exclude<Write, { readonly verb: 'reset' }>, api: Api, signal: AbortSignal): Promise<KubeObject> {
  const { of } = write
  const { resource, kind, namespace, name } = of
  const options: WriteOptions = {
    signal,
    namespace,
    fieldManager,
    priority: 'effect',
    query: { timeout: serverTimeout },
    timeoutMs: answerMs,
  }
  const known = { apiVersion: apiVersionOf(resource), kind }
  const own = { ...known, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } }
  switch (write.verb) {
    case 'patch': {
      const patch = { type: 'merge', body: write.body } as const
      const { metadata } = await api.resource(resource).patch(name, patch, { ...options, metadataOnly: true })
      return { ...known, metadata }
    }
    case 'create':
      return api.resource(resource).create({ ...own, spec: write.spec }, options)
    case 'delete': {
      const { fieldManager: _, ...request } = options
      await api.resource(resource).delete(name, request)
      return own
    }
  }
}

async function sendEvent(
  event: NonNullable<ReturnType<typeof eventOf>>,
  { api, picture }: Asking,
  { random, signal }: { readonly random: Random; readonly signal: AbortSignal },
): Promise<void> {
  const suffix = Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join('')
  const namespace = event.regarding.namespace ?? 'default'
  const object = eventObject(event, {
    name: `${event.regarding.name.slice(0, 236)}.${suffix}`,
    namespace,
    nowMs: picture.nowMs,
    controller: 'ballast.dev/dashboard',
    instance: `${fieldManager}-${hostname()}`,
  })
  await api.resource(builtIn.events).create(object, { signal, namespace, priority: 'event', timeoutMs: eventAnswerMs })
}

/** What is answered where a write failed. @throws `error` where it is none of the wire */
function refusalOf(
  error: unknown,
  { action, write, picture }: { readonly action: ActionName; readonly write: Write; readonly picture: Picture },
): ActionRefusal {
  if (write.verb === 'reset')
    return refusal('twin-not-reset', {
      status: 503,
      message: `The twin was not loaded anew: ${messageOf(error)}`,
      remedy: 'mend its source and try again',
    })
  const { resource, kind, namespace, name } = write.of
  if (isForbidden(error)) {
    const right: NeededRight = {
      verb: write.verb,
      group: resource.group,
      resource: resource.resource,
      ...(namespace === undefined ? {} : { namespace }),
    }
    return refusal('action-forbidden', { status: 403, message: lackSentence(right), remedy: 'ask for that right' })
  }
  if (isNotFound(error)) return targetGone(`${kind} ${namespace === undefined ? '' : `${namespace}/`}${name} is not there.`)
  if (isConflict(error))
    return refusal('plan-changed', {
      status: 409,
      message: `${kind} ${name} has changed since you saw it.`,
      remedy: 'look at it as it is now',
      revision: revisionOf(picture),
    })
  const code = error instanceof StatusError ? error.code : undefined
  if (code !== undefined && code < 500 && code !== 408 && code !== 429)
    return refusal('action-refused', { status: 400, message: `The API server refused it: ${messageOf(error)}`, remedy: null })
  if (code === undefined && !(error instanceof ConnectionError) && !(error instanceof RequestTimeoutError)) throw error
  return refusal('action-unconfirmed', {
    status: 503,
    message: `Nobody knows whether it was done (${action}): ${messageOf(error)}`,
    remedy: `look at ${kind} ${name} before trying again`,
  })
}
