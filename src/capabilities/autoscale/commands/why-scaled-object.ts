// `ballast why ScaledObject/NAME`: the account of the last decision, from the object, its autoscaler and its events.
import type { AskedKind, Explanation } from '#cli/account/explained-kinds.ts'
import { clusterEvents } from '#coordination/account/cluster-events.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { formatTime } from '#kube/time/time.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { autoscalerName } from '../decisions/autoscaler.ts'
import { wishesOf } from '../decisions/wishes.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { scaledObjects } from '../names.ts'
import { type ToldTrigger, toldOf } from '../told/told.ts'

/** Events that are told, the newest. */
const mostEvents = 20

/** @throws CommandRefused where several have that name; StatusError where ScaledObjects cannot be read */
export async function explainScaledObject(asked: AskedKind): Promise<Explanation> {
  const found = await objectOf(asked)
  const subject = `ScaledObject ${found?.metadata.namespace ?? asked.namespace ?? ''}/${asked.name}`
  if (found === undefined) return absent(subject, 'there is no such object')
  const spec = checkAgainst(scaledObjectSpec, found['spec'], 'spec')
  if (!spec.ok) return absent(subject, `it cannot be read: ${spec.problems.map(problemSentence).join('; ')}`)
  const object: ScaledObject = { ...found, spec: spec.value }
  const unread: string[] = []
  const { api, signal, clock } = asked
  const { namespace, name } = object.metadata
  const read = async (what: string, ask: () => Promise<KubeObject>) => {
    try {
      return await ask()
    } catch (error) {
      if (isForbidden(error)) unread.push(`${what} may not be read with your rights: what it says is left out.`)
      else if (!isNotFound(error)) throw error
      return undefined
    }
  }
  const hpaName = object.status?.hpaName ?? autoscalerName(object)
  const resource = targetResource(object)
  const [autoscaler, target, events, others] = await Promise.all([
    read(`HorizontalPodAutoscaler ${hpaName}`, () =>
      api.resource<KubeObject>(builtIn.horizontalpodautoscalers).get(hpaName, { namespace, signal }),
    ),
    resource === undefined
      ? undefined
      : read('its target', () => api.resource<KubeObject>(resource).get(object.spec.scaleTargetRef.name, { namespace, signal })),
    eventsOf(object, hpaName, asked, unread),
    wishesOf(object).wakes.length === 0
      ? undefined
      : api
          .resource<KubeObject>(scaledObjects)
          .list({ namespace, signal })
          .then(({ items }) => items)
          .catch((error: unknown) => {
            if (!isForbidden(error)) throw error
            unread.push(
              'Other ScaledObjects may not be listed with your rights: whether those that it names are there is left out.',
            )
            return undefined
          }),
  ])
  // A twin's time may be ahead of ours.
  const traces = [...events.map(({ lastMs }) => lastMs), Date.parse(object.status?.lastActiveTime ?? '') || 0]
  const told = toldOf(object, { autoscaler, target, others, nowMs: Math.max(clock.now(), ...traces) })
  const { replicas, bounds } = told
  const idle = bounds.idle === undefined ? '' : `, ${bounds.idle} while idle`
  const head = `${told.target.kind} ${told.target.name} has ${replicas ?? 'an unknown number of'} replicas; it may have ${bounds.least} to ${bounds.most}${idle}.`
  return {
    isFound: true,
    sections: [
      { heading: subject, lines: [head, ...told.reasons.map(({ rule, sentence }) => `${sentence} [${rule}]`), ...unread] },
      { heading: 'Its triggers', lines: told.triggers.map(triggerLine) },
      ...(told.lastError === undefined ? [] : [{ heading: 'Its last error', lines: [told.lastError] }]),
      {
        heading: 'What happened, newest first',
        lines:
          events.length === 0
            ? ['nothing is known: events are kept for an hour']
            : events.map(({ lastMs, reason, note }) => `${formatTime(lastMs)} ${note} [${reason}]`),
      },
    ],
    document: {
      apiVersion: 'cli.ballast.dev/v1',
      kind: 'ScaledObjectExplanation',
      subject,
      namespace,
      name,
      replicas: replicas ?? null,
      bounds: { ...bounds, idle: bounds.idle ?? null },
      reasons: told.reasons,
      triggers: told.triggers.map(({ windows, ...trigger }) => ({
        ...trigger,
        windows: windows.map(({ fromMs, toMs }) => ({
          from: formatTime(fromMs),
          to: toMs === undefined ? null : formatTime(toMs),
        })),
      })),
      conditions: told.conditions,
      warmSpans: told.warmSpans.map(({ fromMs, toMs }) => ({ from: formatTime(fromMs), to: formatTime(toMs) })),
      lastError: told.lastError ?? null,
      unread,
      events: events.map(({ lastMs, reason, note }) => ({ at: formatTime(lastMs), reason, note })),
    },
  }
}

function absent(subject: string, sentence: string): Explanation {
  return {
    isFound: false,
    sections: [{ heading: subject, lines: [sentence] }],
    document: { apiVersion: 'cli.ballast.dev/v1', kind: 'ScaledObjectExplanation', subject, sentence },
  }
}

async function objectOf({ api, name, namespace, signal }: AskedKind): Promise<KubeObject | undefined> {
  const objects = api.resource<KubeObject>(scaledObjects)
  try {
    if (namespace !== undefined) return await objects.get(name, { namespace, signal })
    const { items } = await objects.list({ fieldSelector: `metadata.name=${name}`, signal })
    if (items.length > 1)
      throw new CommandRefused(
        `there are ${items.length} of that name: ${items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(', ')}; say which with -n NAMESPACE`,
      )
    const [only] = items
    return only === undefined ? undefined : { ...only, apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject' }
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

function targetResource({ spec, status }: ScaledObject) {
  const known = status?.scaleTargetGVKR
  if (known !== undefined) return { group: known.group, version: known.version, resource: known.resource }
  const kind = spec.scaleTargetRef.kind ?? 'Deployment'
  return kind === 'Deployment' ? builtIn.deployments : kind === 'StatefulSet' ? builtIn.statefulsets : undefined
}

async function eventsOf({ metadata }: ScaledObject, hpaName: string, { api, signal }: AskedKind, unread: string[]) {
  try {
    const { items } = await api.resource<KubeObject>(builtIn.events).list({ namespace: metadata.namespace, signal })
    const ofThese = clusterEvents(items.map(item => ({ ...item, kind: 'Event' }))).filter(
      ({ regarding: { kind, name } }) =>
        (kind === 'ScaledObject' && name === metadata.name) || (kind === 'HorizontalPodAutoscaler' && name === hpaName),
    )
    return ofThese.toSorted((a, b) => b.lastMs - a.lastMs).slice(0, mostEvents)
  } catch (error) {
    if (!isForbidden(error)) throw error
    unread.push('Events may not be read with your rights: what happened is left out.')
    return []
  }
}

function triggerLine({ index, type, name, value, target, isActive, failures, windows, problem }: ToldTrigger): string {
  const called = `${index}. ${type}${name === undefined ? '' : ` ${name}`}`
  const activity = isActive === undefined ? 'not known whether active' : isActive ? 'active' : 'not active'
  const amounts = target === undefined ? '' : `, ${value ?? 'no value'} against ${target}`
  const failed = failures === 0 ? '' : `, failed ${failures} times in a row`
  const [next] = windows
  const when =
    next === undefined
      ? ''
      : `, window ${formatTime(next.fromMs)} to ${next.toMs === undefined ? 'never' : formatTime(next.toMs)}`
  return `${called}: ${activity}${amounts}${failed}${when}${problem === undefined ? '' : `; ${problem}`}`
}
