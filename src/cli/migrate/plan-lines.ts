// How the steps of a plan are shown: for people, and for programs.

import type { Step } from '#migration/step.ts'
import type { Proof } from '#upstreams/proof.ts'
import type { FirstRollouts } from '#upstreams/upstream.ts'
import { harmless, paragraph } from '../terminal/paragraph.ts'

type ShownStep = Pick<Step, 'id' | 'title' | 'command' | 'proof' | 'undo'>

export interface PlanRow {
  readonly step: ShownStep
  readonly isDone: boolean
  /** Proofs of steps before the switch that only look: what they see already. */
  readonly now: Proof | undefined
}

/** `-o json`. */
export function planDocument(component: string, towards: string, rows: readonly PlanRow[]) {
  const steps = rows.map(({ step: { id, title, command, proof, undo }, isDone, now }) => ({
    id,
    title,
    run: command,
    proof,
    undo,
    isDone,
    ...(now === undefined ? {} : { now }),
  }))
  return { apiVersion: 'cli.ballast.dev/v1', kind: 'MigrationPlan', component, direction: towards, steps }
}

/** Step, proof and undo, one below the other; commands are not broken, so that they can be copied. */
export function planLines(rows: readonly PlanRow[]): readonly string[] {
  return rows.flatMap(({ step: { id, title, command, proof, undo }, isDone, now }, index) => [
    ...paragraph(title, `${String(index + 1).padStart(2)} ${id}${isDone ? ' (done)' : ''}: `, '   '),
    `   run: ${harmless(command)}`,
    ...paragraph(`proof: ${proof}`, '   ', '          '),
    `   undo: ${harmless(undo)}`,
    ...(now === undefined ? [] : paragraph(`now: ${now.ok ? 'yes' : 'NO'}, ${now.said}`, '   ', '        ')),
  ])
}

/** What the first start rolls out, in numbers, for programs. */
export function firstStartDocument({ rollsOut, unknown }: FirstRollouts) {
  return { workloads: rollsOut.length, pods: podsOf(rollsOut), rollsOut, unknown }
}

/** The same for people: none is said, and so is what could not be compared. */
export function firstStartLines({ rollsOut, unknown }: FirstRollouts): readonly string[] {
  const count = `${counted(rollsOut.length, 'workload')} (${counted(podsOf(rollsOut), 'pod')})`
  const least = unknown.length === 0 ? '' : 'at least '
  const said =
    rollsOut.length === 0 && unknown.length === 0
      ? 'nothing: what templates say of ConfigMaps and Secrets is what these hold'
      : rollsOut.length === 0
        ? 'nothing that could be compared'
        : `${least}${count}, since what the templates say is older than what there is`
  return [
    ...paragraph(said, 'at its first start ours rolls out ', '   '),
    ...rollsOut.flatMap(({ workload, by, pods }) =>
      paragraph(`${workload}, ${counted(pods, 'pod')}: by ${by.join(', ')}`, '   ', '      '),
    ),
    ...unknown.flatMap(({ what, why }) => paragraph(`unknown: ${what}: ${why}`, '   ', '      ')),
  ]
}

const podsOf = (rollsOut: FirstRollouts['rollsOut']) => rollsOut.reduce((sum, { pods }) => sum + pods, 0)
const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`
