// What reload says of one workload in `ballast why`, from objects alone: what would reload it, what would not and why, and what holds a
// reload back now. Contents of ConfigMaps and Secrets are neither needed nor read.

import { referencesOf } from '#cluster/references.ts'
import type { WorkloadWords } from '#coordination/capability.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { formatTime, parseTime } from '#kube/time/time.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import { type Annotations, annotationOf, fixedAnnotationKeys, isTrueText } from '../annotations.ts'
import { reloadConfiguration } from '../config.ts'
import { readLastReload } from '../rollouts/last-reloaded-from.ts'
import { targetContainer } from '../rollouts/target-container.ts'
import { decisionClause, describeSource } from '../sentences.ts'
import { type ReloadSettings, reloadSettings } from '../settings.ts'
import { matcherOf } from '../sources/matcher.ts'
import { type SourceReference, type SourceType, sourceAnnotations, sourceKey } from '../sources/source-state.ts'
import { decideReload } from './decision.ts'
import { type WorkloadFacts, workloadFacts } from './workload-facts.ts'

const kindsOfTypes = {
  configmap: 'ConfigMap',
  secret: 'Secret',
  secretproviderclass: 'SecretProviderClass',
} as const satisfies Record<SourceType, string>
const typesOfKinds: ReadonlyMap<string, SourceType> = new Map(
  (Object.keys(kindsOfTypes) as SourceType[]).map(type => [kindsOfTypes[type], type]),
)

const reloadable = new Set(['Deployment', 'DaemonSet', 'StatefulSet', 'CronJob', 'Job', 'Rollout'])
const toldReasons = new Set(['Reloaded', 'ReloadFail', 'ReloadThrottled', 'ReloadAnnotationInvalid'])

export const reloadWords: WorkloadWords = {
  reads: [builtIn.configmaps, builtIn.secrets],
  linesOn({ workload, objects, config, nowMs }) {
    const settings = reloadSettings(reloadConfiguration.parse(config ?? {}))
    if (!reloadable.has(workload.kind) && !settings.customKinds.some(({ kind }) => kind === workload.kind)) return []
    const facts = workloadFacts(workload, settings)
    const sources = sourcesOf(facts, objects)
    return [
      ...sources.map(source => sourceLine(source, facts, { objects, settings })),
      ...(sources.length === 0 ? ['It uses no ConfigMap and no Secret, and no annotation names one: nothing reloads it.'] : []),
      ...sayingNo(facts, settings),
      ...sayingNothing(facts, settings),
      ...facts.problems.map(({ key, value, why }) => `Annotation ${key}: found ${JSON.stringify(value)}, ${why}.`),
      ...holdLines(facts, nowMs),
      ...lastLines(facts, settings),
      ...eventLines(workload, objects),
    ]
  },
}

/** What it refers to, and what its annotations name. */
function sourcesOf(facts: WorkloadFacts, objects: readonly KubeObject[]): readonly SourceReference[] {
  const { namespace } = facts
  const { named, patterns } = matcherOf(facts)
  const referenced = referencesOf(facts.pod).flatMap(({ kind, name }) => {
    const type = typesOfKinds.get(kind)
    return type === undefined ? [] : [{ type, namespace, name }]
  })
  const matched = objects.flatMap(({ kind, metadata }) => {
    const type = typesOfKinds.get(kind)
    if (type === undefined || metadata.namespace !== namespace) return []
    const isMatch = patterns.some(one => one.type === type && one.pattern.isFoundIn(metadata.name))
    return isMatch ? [{ type, namespace, name: metadata.name }] : []
  })
  const all = new Map([...referenced, ...named, ...matched].map(source => [sourceKey(source), source]))
  return [...all.values()].toSorted((a, b) => (sourceKey(a) < sourceKey(b) ? -1 : 1))
}

function sourceLine(
  source: SourceReference,
  facts: WorkloadFacts,
  { objects, settings }: { readonly objects: readonly KubeObject[]; readonly settings: ReloadSettings },
): string {
  const object = objects.find(
    ({ kind, metadata }) =>
      kind === kindsOfTypes[source.type] && metadata.namespace === source.namespace && metadata.name === source.name,
  )
  const annotations: Annotations | undefined = object?.metadata.annotations
  const decision = decideReload(
    { reference: source, annotations: sourceAnnotations(annotations, settings.keys) },
    facts,
    settings,
  )
  const clause = decisionClause(decision.code, decision.by)
  const absent = object === undefined ? ' (not found, or not ours to list)' : ''
  const shown = `${describeSource(source)}${absent}`
  if (!decision.reload) return `${shown} does not reload it: ${clause}.`
  const container = targetContainer(facts.pod, source, { mustUse: decision.auto })
  if (container === undefined) return `${shown} does not reload it: ${clause}, but no container uses it.`
  return `${shown} reloads it when it changes: ${clause} (container ${container}).`
}

/** Annotations that look as if they asked for reloads, and do not. */
function sayingNo({ annotations, templateAnnotations }: WorkloadFacts, { keys }: ReloadSettings): readonly string[] {
  const asking = [keys.auto, keys.configmapAuto, keys.secretAuto]
  return asking.flatMap(key => {
    const text = annotationOf(annotations, key) ?? annotationOf(templateAnnotations, key)
    return text === undefined || isTrueText(text)
      ? []
      : [`Annotation ${key} is ${JSON.stringify(text)}, which does not ask for reloads.`]
  })
}

/** Keys that look like ours or Reloader's and are neither. */
function sayingNothing({ annotations, templateAnnotations }: WorkloadFacts, { keys }: ReloadSettings): readonly string[] {
  const known = [...Object.values(keys), ...Object.values(fixedAnnotationKeys), 'reloader.stakater.com/meta-info']
  const given = new Set([...Object.keys(annotations), ...Object.keys(templateAnnotations)])
  return [...given].flatMap(key => {
    if (known.includes(key) || !/(^|\.)reloader\.stakater\.com\/|^ballast\.dev\/reload-/.test(key)) return []
    const near = nearestName(key, known)
    return [`Annotation ${key} is read by nobody${near === undefined ? '.' : `; did you mean ${near}?`}`]
  })
}

function holdLines({ wishes, isPaused, isSuspended, isFinished }: WorkloadFacts, nowMs: number): readonly string[] {
  const { window, keys } = wishes
  const isShut = window !== undefined && window.openAt(nowMs) === undefined
  const opens = window?.nextAfter(nowMs)?.startMs
  return [
    ...(isShut
      ? [
          `Its reload window is shut: changes wait ${opens === undefined ? 'for one that never opens' : `until ${formatTime(opens)}`}.`,
        ]
      : []),
    ...(keys === 'used' ? ['Only changes of keys that its template uses count.'] : []),
    ...(isPaused ? ['It is paused: a change of its template rolls nothing out until it is resumed.'] : []),
    ...(isSuspended ? ['It is suspended and left alone.'] : []),
    ...(isFinished ? ['It is over and left alone.'] : []),
  ]
}

/** What its template says of its last reload. */
function lastLines(facts: WorkloadFacts, { strategy }: ReloadSettings): readonly string[] {
  const last = readLastReload(annotationOf(facts.templateAnnotations, fixedAnnotationKeys.lastReloadedFrom))
  if (last?.atMs !== undefined && strategy === 'annotations') return [`Its template tells a reload at ${formatTime(last.atMs)}.`]
  return []
}

/** The newest Event of each reason, oldest first. */
function eventLines(workload: KubeObject, objects: readonly KubeObject[]): readonly string[] {
  const newest = new Map<string, { readonly atMs: number; readonly line: string }>()
  for (const object of objects) {
    const told = toldOf(object, workload)
    const before = told === undefined ? undefined : newest.get(told.reason)
    if (told !== undefined && (before === undefined || before.atMs <= told.atMs))
      newest.set(told.reason, { atMs: told.atMs, line: `${formatTime(told.atMs)} ${told.reason}: ${told.note}` })
  }
  return [...newest.values()].toSorted((a, b) => a.atMs - b.atMs).map(({ line }) => line)
}

/** An Event of reload on the workload, of either group. */
function toldOf(object: KubeObject, { kind, metadata }: KubeObject) {
  if (object.kind !== 'Event') return undefined
  const regarding = fieldsOf(object['regarding'] ?? object['involvedObject'])
  const isOnIt =
    regarding['kind'] === kind && regarding['name'] === metadata.name && regarding['namespace'] === metadata.namespace
  const reason = object['reason']
  if (!isOnIt || typeof reason !== 'string' || !toldReasons.has(reason)) return undefined
  const series = fieldsOf(object['series'])
  const times = [object['deprecatedLastTimestamp'], object['lastTimestamp'], series['lastObservedTime'], object['eventTime']]
  const time = times.find(value => typeof value === 'string' && value !== '')
  const parsed = parseTime(typeof time === 'string' ? time : (object.metadata.creationTimestamp ?? ''))
  const note = object['note'] ?? object['message']
  return parsed.ok ? { reason, note: typeof note === 'string' ? note : '', atMs: parsed.value } : undefined
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
