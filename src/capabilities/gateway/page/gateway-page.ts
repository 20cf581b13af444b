// The page of the gateway: routes with their requests, what starts at this moment, how long starts take, and who keeps a target awake.

import type { RouteStanding } from '#coordination/ports/gateway-door.ts'
import type { CapabilityView, Sentence } from '#dashboard/contract.ts'
import type { CapabilityPage, Picture } from '#dashboard/picture.ts'
import { unknownBecause } from '#dashboard/views/sources.ts'
import type { Viewing } from '#dashboard/views/viewing.ts'
import { workloadPath } from '#dashboard/words/links.ts'
import { say } from '#dashboard/words/sentence.ts'
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { humanDuration } from '#kube/time/human-duration.ts'
import { bootStages } from '../cold/boot-stage.ts'
import { keptBoots } from '../cold/cold-start-condition.ts'
import { learnedOf, type Quantiles } from '../cold/learned-boots.ts'
import { httpScaledObjects, interceptorRoutes } from '../names.ts'
import { awakeBecause } from './kept-awake.ts'

const mostRows = 200
/** Characters of one cell. */
const longestCell = 300
/** Gateways that a sentence names. */
const mostNamed = 3

type Table = CapabilityView['tables'][number]
type Row = Table['rows'][number]

export const gatewayPage: CapabilityPage = {
  path: 'gateway',
  title: 'Gateway',
  view: (picture, viewing) => {
    const seen = routesSeen(picture, viewing)
    const { routes } = seen
    return {
      title: 'Gateway',
      sentences: sentencesOf(picture, viewing, seen),
      tables: picture.past === undefined ? [routesOf(picture, routes), startsOf(routes), coldStartsOf(routes)] : [],
    }
  },
  onTop: (picture, viewing) => topOf(routesSeen(picture, viewing).routes),
}

interface ShownRoute {
  readonly key: string
  readonly object: KubeObject
  readonly namespace: string
  readonly hosts: readonly string[]
  readonly target: string
  /** What scales the target; undefined: none names the route. */
  readonly scaler: KubeObject | undefined
  readonly workload: { readonly kind: string; readonly name: string; readonly replicas: number | undefined } | undefined
  /** undefined, in it too: not known. */
  readonly reading:
    | { readonly requests: number | undefined; readonly held: number | undefined; readonly start: RouteStanding['start'] }
    | undefined
}

const kinds = [interceptorRoutes, httpScaledObjects]

function routesSeen(picture: Picture, viewing: Viewing): { readonly routes: readonly ShownRoute[]; readonly hidden: number } {
  const { state, past } = picture
  if (past !== undefined) return { routes: [], hidden: 0 }
  const routes = new Map<string, ShownRoute>()
  const scalers = scalersByRoute(picture)
  let hidden = 0
  for (const [kind, shown] of [
    ['InterceptorRoute', interceptorRouteOf],
    ['HTTPScaledObject', httpScaledObjectOf],
  ] as const)
    for (const object of state.objects(`${kind}.${interceptorRoutes.group}`)) {
      const { namespace = '', name } = object.metadata
      const key = `${namespace}/${name}`
      // Where both kinds have one of a name, the InterceptorRoute counts.
      if (routes.has(key)) continue
      if (viewing.sees(namespace))
        routes.set(key, { key, object, namespace, ...shown(object), ...scaledBy(picture, key, scalers.get(key)) })
      else hidden++
    }
  return { routes: [...routes.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)), hidden }
}

function interceptorRouteOf(object: KubeObject): Pick<ShownRoute, 'hosts' | 'target'> {
  const hosts = listAt(object, 'spec', 'rules').flatMap(rule => listAt(rule, 'hosts'))
  return { hosts: texts(hosts), target: serviceText(at(object, 'spec', 'target')) }
}

function httpScaledObjectOf(object: KubeObject): Pick<ShownRoute, 'hosts' | 'target'> {
  return { hosts: texts(listAt(object, 'spec', 'hosts')), target: serviceText(at(object, 'spec', 'scaleTargetRef')) }
}

function texts(values: readonly unknown[]): readonly string[] {
  return [...new Set(values.filter(value => typeof value === 'string'))]
}

function serviceText(target: unknown): string {
  const port = textAt(target, 'portName') ?? numberAt(target, 'port')
  return `${textAt(target, 'service') ?? ''}${port === undefined ? '' : `:${port}`}`
}

/** ScaledObjects by the routes whose requests they ask for; of several the first. */
function scalersByRoute({ state }: Picture): ReadonlyMap<string, KubeObject> {
  const scalers = new Map<string, KubeObject>()
  for (const scaler of state.objects('ScaledObject.keda.sh'))
    for (const trigger of listAt(scaler, 'spec', 'triggers')) {
      const name = textAt(trigger, 'metadata', 'interceptorRoute') ?? textAt(trigger, 'metadata', 'httpScaledObject')
      const key = `${scaler.metadata.namespace ?? ''}/${name}`
      if (name !== undefined && !scalers.has(key)) scalers.set(key, scaler)
    }
  return scalers
}

/** What scales a route, what it scales, and what gateways say. */
function scaledBy(
  { state, gateways }: Picture,
  key: string,
  scaler: KubeObject | undefined,
): Pick<ShownRoute, 'scaler' | 'workload' | 'reading'> {
  const kind = textAt(scaler, 'spec', 'scaleTargetRef', 'kind') ?? 'Deployment'
  const scaled = textAt(scaler, 'spec', 'scaleTargetRef', 'name')
  const workload = scaled === undefined ? undefined : state.object(kind, scaler?.metadata.namespace, scaled)
  const replicas = workload === undefined ? undefined : (numberAt(workload, 'spec', 'replicas') ?? 1)
  return {
    scaler,
    workload: scaled === undefined ? undefined : { kind, name: scaled, replicas },
    reading: readingOf(gateways, key),
  }
}

/** Where a gateway is silent, what is 0 at the others may be more: it is not known. */
function readingOf(gateways: Picture['gateways'], key: string): ShownRoute['reading'] {
  const found = gateways?.routes.get(key)
  if (gateways === undefined || found === undefined) return undefined
  const isWhole = gateways.silent.length === 0 && gateways.unlisted === undefined
  const known = (sum: number) => (isWhole || sum > 0 ? sum : undefined)
  return { requests: known(found.requests), held: known(found.held), start: found.start }
}

function sentencesOf(picture: Picture, viewing: Viewing, { routes, hidden }: ReturnType<typeof routesSeen>): readonly Sentence[] {
  if (picture.past !== undefined) return [say('gateway-not-kept', 'How routes stood then is not kept.')]
  const why = kinds.map(({ resource }) => unknownBecause(picture, resource)).find(one => one !== undefined)
  if (why !== undefined) return [say('gateway-unknown', why)]
  const asleep = routes.filter(route => stateOf(route) === 'asleep').length
  const starting = routes.filter(route => stateOf(route) === 'starting').length
  const count = `${routes.length} ${routes.length === 1 ? 'route' : 'routes'}: ${asleep} asleep, ${starting} starting.`
  return [
    ...gatewaySentences(picture, viewing),
    say('gateway-count', count, { routes: routes.length, asleep, starting }),
    ...(hidden === 0 ? [] : [say('gateway-hidden', 'Routes of namespaces whose pods you may not list are left out.')]),
  ]
}

function gatewaySentences({ gateways, ownNamespace }: Picture, viewing: Viewing): readonly Sentence[] {
  if (gateways === undefined)
    return [say('gateway-unasked', 'No gateway was asked yet: how many requests there are is not known.')]
  const { answered, late, silent, unlisted } = gateways
  const known = answered + late.length
  const all = known + silent.length
  // Pods are named to those who may see the namespace that they are in.
  const isNamed = viewing.sees(ownNamespace)
  const listed = (texts: readonly string[]) => {
    const more = texts.length > mostNamed ? `; ${texts.length - mostNamed} more` : ''
    return isNamed && texts.length > 0 ? ` (${texts.slice(0, mostNamed).join('; ')}${more})` : ''
  }
  const whoIsSilent = listed(silent.map(({ name, why }) => `${name}: ${why}`))
  const sentences: Sentence[] = []
  if (unlisted !== undefined) {
    const why = isNamed ? `: ${unlisted}` : ''
    sentences.push(say('gateway-unlisted', `Which gateways there are cannot be read${why}.`))
  }
  if (all === 0) {
    if (unlisted === undefined)
      sentences.push(say('gateway-none-ready', 'No pod of the gateway is ready: requests wake nothing, and none is counted.'))
  } else if (known === 0) {
    const text = `No gateway answers${whoIsSilent}: how many requests there are is not known.`
    sentences.push(say('gateway-silent', text, { silent: silent.length }))
  } else if (silent.length > 0) {
    const text = `${silent.length} of ${all} gateways did not answer${whoIsSilent}: their requests are missing here, and nothing is known to be 0.`
    sentences.push(say('gateway-some-silent', text, { answered, silent: silent.length }))
  }
  if (late.length > 0) {
    const who = listed(late.map(({ name, agoMs }) => `${name}: ${humanDuration(agoMs)} ago`))
    const text = `${late.length} of ${all} gateways did not answer when asked last${who}: of them it is told what they said before.`
    sentences.push(say('gateway-late', text, { late: late.length }))
  }
  return sentences
}

function stateOf({ reading, workload }: ShownRoute): 'asleep' | 'starting' | 'awake' | undefined {
  if (reading?.start !== undefined) return 'starting'
  if (workload?.replicas === undefined) return undefined
  return workload.replicas === 0 ? 'asleep' : 'awake'
}

function routesOf(picture: Picture, routes: readonly ShownRoute[]): Table {
  return table({
    name: 'routes',
    title: 'Routes',
    columns: ['Route', 'Hosts', 'Target', '#Replicas', '#Requests', '#Waiting', 'State', 'Kept awake by'],
    rows: routes.map(route => ({
      key: route.key,
      cells: [
        route.key,
        cut(route.hosts.length === 0 ? 'any' : route.hosts.join(', ')),
        cut(route.target),
        route.workload?.replicas ?? null,
        route.reading?.requests ?? null,
        route.reading?.held ?? null,
        stateOf(route) ?? (route.scaler === undefined ? 'no ScaledObject scales it' : null),
        cut(awakeText(route, picture.nowMs)),
      ],
      path: pathOf(route),
    })),
    empty: unknownBecause(picture, interceptorRoutes.resource) ?? 'There are no routes that you may see.',
  })
}

function awakeText({ scaler, workload, reading }: ShownRoute, nowMs: number): string {
  if (scaler === undefined || workload?.replicas === undefined || workload.replicas === 0) return ''
  return awakeBecause(scaler, { requests: reading?.requests, nowMs }).join('; ')
}

function startsOf(routes: readonly ShownRoute[]): Table {
  return table({
    name: 'starts',
    title: 'Starting now',
    columns: ['Route', 'Stage', 'In words', 'For', 'Left', '#Waiting', 'What is wrong'],
    rows: routes.flatMap((route): Row[] => {
      const { reading } = route
      if (reading?.start === undefined) return []
      const { stage, sentence, trouble, totalMs, etaMs } = reading.start
      const left = etaMs === undefined ? 'not known' : humanDuration(etaMs)
      const cells = [
        route.key,
        stage,
        sentence === '' ? null : cut(sentence),
        humanDuration(totalMs),
        left,
        reading.held ?? null,
        trouble === undefined ? null : cut(trouble),
      ]
      return [{ key: route.key, cells, path: pathOf(route) }]
    }),
    empty: 'Nothing starts at this moment.',
  })
}

function coldStartsOf(routes: readonly ShownRoute[]): Table {
  return table({
    name: 'cold-starts',
    title: 'Cold starts by stage, in seconds',
    columns: ['Route', 'Stage', '#p50', '#p95', '#Starts'],
    rows: routes.flatMap(({ key, object }) =>
      learnedIn(object).map(({ stage, p50Ms, p95Ms, count }) => ({
        key: `${key}/${stage}`,
        cells: [key, stage, seconds(p50Ms), seconds(p95Ms), count],
        path: null,
      })),
    ),
    empty: 'No cold start was seen yet.',
  })
}

type Learned = readonly ({ readonly stage: string } & Quantiles)[]

/** By object, which stands still until it changes: the view is asked for often, and this is most of its work. */
const learned = new WeakMap<KubeObject, Learned>()

/** What is kept of a route's starts in its status: in all, and by stage. */
function learnedIn(object: KubeObject): Learned {
  const known = learned.get(object)
  if (known !== undefined) return known
  const kept = keptBoots(object)
  const boots = 'boots' in kept ? kept.boots : []
  const found = (['total', ...bootStages] as const).flatMap(stage => {
    const times = learnedOf(boots, stage === 'total' ? undefined : stage)
    return times === undefined ? [] : [{ stage, ...times }]
  })
  learned.set(object, found)
  return found
}

/** Routes that are asked at this moment, or start: a line each. */
function topOf(routes: readonly ShownRoute[]): Table {
  const busy = routes.filter(({ reading }) => (reading?.requests ?? 0) > 0 || reading?.start !== undefined)
  return table({
    name: 'routes',
    title: 'Routes',
    columns: ['Route', '#Requests', '#Waiting', 'Stage', 'Left'],
    rows: busy.map(({ key, reading }) => ({
      key,
      cells: [
        ...[key, reading?.requests ?? null, reading?.held ?? null, reading?.start?.stage ?? null],
        reading?.start?.etaMs === undefined ? null : humanDuration(reading.start.etaMs),
      ],
      path: null,
    })),
    empty: 'No route is asked at this moment.',
  })
}

function pathOf({ namespace, workload }: ShownRoute): string | null {
  if (workload?.replicas === undefined) return null
  return workloadPath({ kind: workload.kind, namespace, name: workload.name })
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10
}

/** A column whose title begins with # holds numbers. */
function table({
  columns,
  rows,
  ...rest
}: Pick<Table, 'name' | 'title' | 'empty'> & { readonly columns: readonly string[]; readonly rows: readonly Row[] }): Table {
  return {
    ...rest,
    columns: columns.map(title => ({ title: title.replace(/^#/, ''), isNumber: title.startsWith('#') })),
    rows: rows.slice(0, mostRows),
    total: rows.length,
  }
}

function cut(text: string): string {
  return text.length > longestCell ? `${text.slice(0, longestCell - 1)}…` : text
}
