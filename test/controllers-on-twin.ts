// Plays the recorded scenarios of the controllers on a twin, and says where it goes another way than the real ones.

import { defaultSettings, type SchedulerVersion } from '#cluster/scheduler-settings.ts'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { StatusError } from '#kube/objects/status.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { type MetricsTable, MetricsTables } from './real/controllers/metrics-table.ts'
import { mainNode } from './real/controllers/real-cluster.ts'
import { type RecordedStep, type Scenario, type ScenarioCluster, ScenarioRun } from './real/controllers/scenario.ts'

const longestStepMs = 60_000
const tickMs = 100
const startMs = Date.parse('2026-01-01T00:00:20Z')

export interface TwinRun {
  readonly steps: readonly RecordedStep[]
  readonly failures: readonly string[]
}

/** What the twin's controllers do in the scenario; no kubelets, as in the recording. */
export async function playOnTwin(scenario: Scenario, scheduler: SchedulerVersion = '1.36'): Promise<TwinRun> {
  const clock = new VirtualClock(startMs)
  const failures: string[] = []
  const tables = new MetricsTables(() => clock.now())
  let inner: Transport | undefined
  await using twin = await startTwin({
    clock,
    seed: 1,
    kubelet: false,
    // As in the recordings: nobody sends the heartbeats that nodes are judged by.
    controllers: ['*', '-nodelifecycle', '-taint-eviction'],
    components: {
      rootCertificate: 'certificate',
      // Nobody provisioned in the recordings.
      provisioner: false,
      schedulerSettings: defaultSettings(scheduler),
      api: withMetrics(tables, () => inner),
      // What the server refuses is tried again, as in reality.
      onFailure: ({ queue, key, error }) => {
        if (!(error instanceof StatusError)) failures.push(`${queue} ${key}: ${String(error)}`)
      },
    },
  })
  inner = twin.transport({ admin: true })
  const cluster = new TwinCluster({ twin, clock, tables }, scenario.name)
  await cluster.send('POST', '/api/v1/nodes', mainNode)
  await cluster.send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: scenario.name } })
  await cluster.settle(1_000)
  const run = new ScenarioRun(cluster, scenario)
  await scenario.play(run)
  return { steps: run.steps, failures }
}

interface TwinSite {
  readonly twin: Twin
  readonly clock: VirtualClock
  readonly tables: MetricsTables
}

/** The twin's API, but metrics come from the scenario's tables. */
function withMetrics(tables: MetricsTables, inner: () => Transport | undefined): Transport {
  const behind = () => {
    const transport = inner()
    if (transport === undefined) throw new Error('the twin has not started')
    return transport
  }
  return {
    request: async request => {
      const answer = tables.answer(request.path)
      if (answer === undefined) return behind().request(request)
      return { status: answer.status, headers: {}, body: new TextEncoder().encode(JSON.stringify(answer.body)) }
    },
    stream: request => behind().stream(request),
    close: () => Promise.resolve(),
  }
}

class TwinCluster implements ScenarioCluster {
  readonly namespace: string
  readonly #clock: VirtualClock
  readonly #twin: Twin
  readonly #transport: Transport
  readonly #tables: MetricsTables

  constructor({ twin, clock, tables }: TwinSite, namespace: string) {
    this.namespace = namespace
    this.#tables = tables
    this.#clock = clock
    this.#twin = twin
    this.#transport = twin.transport({ admin: true })
  }

  async send(verb: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, contentType?: string) {
    const type = contentType ?? (verb === 'PATCH' ? 'application/merge-patch+json' : 'application/json')
    const answer = await this.#transport.request({
      verb,
      path,
      headers: { accept: 'application/json', 'content-type': type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(120_000),
    })
    return { status: answer.status, body: JSON.parse(new TextDecoder().decode(answer.body)) as unknown }
  }

  now(): number {
    return this.#clock.now()
  }

  /** As the recorder sees it: silent for a while. */
  async settle(quietMs: number): Promise<void> {
    const untilMs = this.#clock.elapsed() + longestStepMs
    let silentMs = 0
    while (silentMs < quietMs) {
      if (this.#clock.elapsed() > untilMs) throw new Error(`${this.namespace} is not quiet after ${longestStepMs / 1000} s`)
      const before = this.#twin.access.revision
      await this.#clock.advance(tickMs)
      silentMs = before === this.#twin.access.revision ? silentMs + tickMs : 0
    }
  }

  async autoscalerRound(table: MetricsTable): Promise<void> {
    this.#tables.set(this.namespace, table)
    const before = this.#tables.asked(this.namespace)
    for (let seconds = 0; this.#tables.asked(this.namespace) === before; seconds++) {
      if (seconds > 40) throw new Error(`${this.namespace}: no autoscaler has asked for metrics`)
      await this.#clock.advance(1_000)
    }
  }

  wait(milliseconds: number): Promise<void> {
    return this.#clock.advance(milliseconds)
  }
}

/** Each way in which the runs differ, once: `step, object, field: recorded …, twin …`. */
export function differences(recorded: readonly RecordedStep[], played: readonly RecordedStep[]): readonly string[] {
  const lines: string[] = []
  const known = new Set<string>()
  const states = { recorded: new Map<string, unknown>(), played: new Map<string, unknown>() }
  for (const [at, step] of recorded.entries()) {
    const other = played[at]
    if (other === undefined) return [...lines, `${step.step}: the twin did not get here`]
    follow(states.recorded, step)
    follow(states.played, other)
    const found = [
      ...between(Object.fromEntries(states.recorded), Object.fromEntries(states.played), ''),
      ...between(step.answer, other.answer, 'answer'),
      ...betweenEvents(step.events ?? [], other.events ?? []),
    ]
    for (const line of found) {
      if (known.has(line)) continue
      known.add(line)
      lines.push(`${step.step}, ${line}`)
    }
  }
  return lines
}

function follow(state: Map<string, unknown>, step: RecordedStep): void {
  for (const [key, value] of Object.entries(step.changed)) state.set(key, value)
  for (const key of step.gone ?? []) state.delete(key)
}

function between(recorded: unknown, played: unknown, path: string): readonly string[] {
  if (JSON.stringify(recorded) === JSON.stringify(played)) return []
  if (isRecord(recorded) && isRecord(played)) {
    const keys = [...new Set([...Object.keys(recorded), ...Object.keys(played)])].sort()
    return keys.flatMap(key => between(recorded[key], played[key], path === '' ? key : `${path}.${key}`))
  }
  if (Array.isArray(recorded) && Array.isArray(played) && recorded.length === played.length) {
    return recorded.flatMap((item, at) => between(item, played[at], recorded.length === 1 ? path : `${path}[${at}]`))
  }
  return [`${path}: recorded ${textOf(recorded)}, twin ${textOf(played)}`]
}

function betweenEvents(recorded: readonly string[], played: readonly string[]): readonly string[] {
  return [
    ...recorded.filter(line => !played.includes(line)).map(line => `event only recorded: ${line}`),
    ...played.filter(line => !recorded.includes(line)).map(line => `event only of the twin: ${line}`),
  ]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}
