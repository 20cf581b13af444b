// A real control plane as scenarios take it: each in a namespace of its own, quiet when its watches have been silent for a while.

import { setTimeout as pause } from 'node:timers/promises'
import type { ControlPlane } from '../control-plane/start.ts'
import type { MetricsTables } from './metrics-table.ts'
import { collections, type Loose, type RecordedStep, type Scenario, type ScenarioCluster, ScenarioRun } from './scenario.ts'

const longestStepMs = 60_000
const longestRoundMs = 40_000

/** Watches everything that is recorded, to know when a namespace has been silent. */
export class Silence implements AsyncDisposable {
  readonly #lastMs = new Map<string, number>()
  readonly #stop = new AbortController()
  readonly #watching: Promise<unknown>
  #failure: unknown

  constructor(plane: ControlPlane) {
    this.#watching = Promise.all(collections.map(path => this.#follow(plane, path))).catch(cause => {
      if (!this.#stop.signal.aborted) this.#failure = cause
    })
  }

  /** Resolves when nothing has happened in the namespace (or to what is named after it) for a while. */
  async of(namespace: string, quietMs: number): Promise<void> {
    const startMs = Date.now()
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      const since = Math.max(startMs, this.#lastMs.get(namespace) ?? 0)
      if (Date.now() - since >= quietMs) return
      if (Date.now() - startMs > longestStepMs) throw new Error(`${namespace} is not quiet after ${longestStepMs / 1000} s`)
      await pause(25)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watching
  }

  async #follow(plane: ControlPlane, path: string): Promise<void> {
    const list = await plane.client.want('GET', `${path}?limit=1`)
    for await (const { object } of plane.client.watch(path, list.metadata.resourceVersion ?? '0', this.#stop.signal)) {
      const { namespace, name } = object.metadata
      this.#lastMs.set(namespace ?? name, Date.now())
    }
  }
}

/** A control plane with what is around it. */
export interface RealSite {
  readonly plane: ControlPlane
  readonly silence: Silence
  readonly tables: MetricsTables
}

/** What a real cluster does in the scenario. */
export async function playOnRealCluster(
  { plane, silence, tables }: RealSite,
  scenario: Scenario,
): Promise<readonly RecordedStep[]> {
  const namespace = scenario.name
  const cluster: ScenarioCluster = {
    namespace,
    send: async (method, path, body, contentType) => {
      const { status, body: answer } = await plane.client.send(method, path, body, contentType)
      return { status, body: answer }
    },
    now: () => Date.now(),
    settle: milliseconds => silence.of(namespace, milliseconds),
    autoscalerRound: async table => {
      tables.set(namespace, table)
      const before = tables.asked(namespace)
      const deadline = Date.now() + longestRoundMs
      while (tables.asked(namespace) === before) {
        if (Date.now() > deadline) throw new Error(`${namespace}: no autoscaler has asked for metrics`)
        await pause(50)
      }
    },
    wait: async milliseconds => {
      await pause(milliseconds)
    },
  }
  await plane.client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await silence.of(namespace, 1_000)
  const run = new ScenarioRun(cluster, scenario)
  try {
    await scenario.play(run)
  } catch (cause) {
    throw new Error(`scenario ${scenario.name}, after step ${run.steps.at(-1)?.step ?? 'none'}`, { cause })
  }
  return run.steps
}

/** The node that the scenarios' pods run on; those of DaemonSets bring their own. */
export const mainNode: Loose & { readonly apiVersion: string; readonly kind: string } = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'main', labels: { pool: 'main' } },
  status: { allocatable: { cpu: '640', memory: '640Gi', pods: '5000' }, conditions: [{ type: 'Ready', status: 'True' }] },
}
