// What one load scenario is: the objects it begins with and what is done to them, the same for every program that reloads.
import type { ApiObject } from '../control-plane/api-client.ts'

export type SourceType = 'configmap' | 'secret'

export interface SourceName {
  readonly type: SourceType
  readonly namespace: string
  readonly name: string
}

export interface SourceSpec extends SourceName {
  readonly data: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** A workload with what it uses, said here and not read out of it: it is what programs are held to. */
export interface Target {
  readonly object: ApiObject & { readonly metadata: { readonly name: string; readonly namespace: string } }
  readonly uses: readonly SourceName[]
}

/** How long and how fast a scenario is played. */
export interface Form {
  /** Seconds of changes. */
  readonly seconds: number
  /** What the scenario does seldom is done at this part of its interval. */
  readonly pace: number
}

export interface Stage {
  readonly form: Form
  readonly random: () => number
  /** Calls `act` every `intervalMs` for as long as the form says. */
  every(intervalMs: number, act: (turn: number) => Promise<void>): Promise<void>
  /** Writes other data, in one request. */
  change(source: SourceName, data: Readonly<Record<string, string>>): Promise<void>
  /** Changes an annotation of it only. */
  annotate(source: SourceName, value: string): Promise<void>
  create(target: Target): Promise<void>
  remove(target: Target): Promise<void>
  /** Kills the program; one that stands by takes over, else it is started again. */
  restartProgram(): Promise<void>
  /** Starts another of it beside the one that leads. */
  standBy(): Promise<void>
}

export interface Scenario {
  readonly id: string
  readonly title: string
  /** Upstream's flags. */
  readonly flags: readonly string[]
  readonly sources: readonly SourceSpec[]
  readonly targets: readonly Target[]
  /**
   * Least part of the changes that are to be seen each by itself; the others may be overtaken by a later one of the same source.
   * `as-they-come`: each that stands for a moment before the next one of its source.
   */
  readonly leastExact: number | 'as-they-come'
  /** How long a Deployment is paused after its first change, in milliseconds. */
  readonly pauseMs?: number
  /** How long the workloads are there before the first change: longer where what is remembered of them is to be written by then. */
  readonly warmMs?: number
  /** How much longer than usual it is waited for the next roll-out. */
  readonly patienceMs?: number
  /** How long it is waited when everything was seen: for what is done once too often, or afterwards. */
  readonly settleMs?: number
  play(stage: Stage): Promise<void>
}

export const keyOf = ({ type, namespace, name }: SourceName) => `${type}/${namespace}/${name}`

export function pick<T>(list: readonly T[], random: () => number): T {
  const item = list[Math.floor(random() * list.length)]
  if (item === undefined) throw new Error('there is nothing to pick from')
  return item
}
