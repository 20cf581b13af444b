// `ballast migrate plan spegel`: the swap of a mirror as commands for a person; `apply` does the same by the API.

import type { Reach } from '#migration/situation.ts'
import { mirrorStepsBack } from '#migration/spegel/spegel-back.ts'
import { type MirrorSituation, readMirrorSituation } from '#migration/spegel/spegel-situation.ts'
import { mirrorStepsForth } from '#migration/spegel/spegel-steps.ts'
import { type ExitCode, exitCodes } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'
import { harmless } from '../terminal/paragraph.ts'
import { planDocument, planLines } from './plan-lines.ts'

interface PlanWish {
  readonly back?: boolean
  readonly allowLossy?: boolean
  readonly output: 'table' | 'json'
}

/** Reads only. @throws StepFailed where there is nothing to swap */
export async function printMirrorPlan(reach: Reach, options: PlanWish, terminal: Surroundings['terminal']): Promise<ExitCode> {
  const situation = await readMirrorSituation(reach)
  const steps = options.back === true ? mirrorStepsBack(situation) : mirrorStepsForth(situation, options.allowLossy === true)
  const rows = steps.map(({ now, ...step }) => ({ step, isDone: false, now }))
  if (options.output === 'json') {
    const document = planDocument('spegel', options.back === true ? 'back' : 'forth', rows)
    const [spegel] = situation.spegels
    const more = spegel === undefined ? {} : { values: spegel.converted.values, report: spegel.converted.report }
    terminal.write(JSON.stringify({ ...document, ...more }, undefined, 2))
  } else for (const line of planLines(rows)) terminal.write(line)
  const obstacles = rows.flatMap(({ now }) => (now === undefined || now.ok ? [] : [now.said]))
  for (const said of obstacles) terminal.say(`in the way: ${harmless(said)}`)
  if (obstacles.length === 0)
    terminal.say(
      `to carry it out: ballast migrate apply spegel --all${options.back === true ? ' --back' : ''}${needsForgetting(situation, options) ? ' --forget-release' : ''}, or run these commands yourself, each after the proof of the one before`,
    )
  return obstacles.length === 0 ? exitCodes.done : exitCodes.notSo
}

const needsForgetting = ({ spegels }: MirrorSituation, { back }: PlanWish): boolean =>
  back !== true && spegels.some(({ owner }) => owner?.by === 'helm')
