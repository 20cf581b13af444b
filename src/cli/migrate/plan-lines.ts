// How the steps of a plan are shown: for people, and for programs.

import type { Step } from '#migration/step.ts'
import type { Proof } from '#upstreams/proof.ts'
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
