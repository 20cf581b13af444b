// A swap that only a person carries out, since something has to be decided or waited for that no program may: its steps are printed for this cluster, and each is
// looked at. Nothing but the record of how far it is is written.

import { no, yes } from '#upstreams/proof.ts'
import type { ByHandPart } from '#upstreams/upstream.ts'
import { lossProof, nowOf, placeOfOurs, shown, shownTheirs } from '../both.ts'
import { readSituation } from '../situation.ts'
import { type Step, StepFailed, type Swap, type Way } from '../step.ts'

/** Steps of which none writes. @throws StepFailed for the way back, which is the way forth read from its end */
export const byHandForth = (part: ByHandPart): Way => ({ steps: swap => stepsOf(swap, part), needs: async () => [] })

export const byHandBack: Way = {
  steps: swap => {
    const { id } = swap.upstream.replaced
    throw new StepFailed(`nothing was carried out that could be taken back: read ballast migrate plan ${id} from its end`)
  },
  needs: async () => [],
}

async function stepsOf(swap: Swap, part: ByHandPart): Promise<readonly Step[]> {
  const situation = await readSituation(swap)
  const theirs = shownTheirs(swap, situation, undefined)
  const { whole } = await nowOf(swap)
  const told = { ...theirs, values: whole.converted.values }
  return [
    {
      id: 'check',
      title: `look at ${shown(theirs)}`,
      command: 'ballast doctor',
      proof: 'one of it is there',
      undo: '-',
      prove: async now => {
        const { situation: found, theirs: one } = await nowOf(now)
        return yes(`${shown(one)} is there; ${placeOfOurs(found.ours)}`)
      },
    },
    {
      id: 'convert',
      title: 'convert what it is told',
      command: `ballast migrate plan ${swap.upstream.replaced.id} -o json | jq .values > values.yaml`,
      proof: 'everything has its place (exit 0)',
      undo: '-',
      prove: async now => lossProof((await nowOf(now)).whole.converted, now),
    },
    ...part.steps.map(
      (step): Step => ({
        id: step.id,
        title: step.title,
        command: step.command(told),
        proof: step.proof,
        undo: step.undo,
        async prove(now) {
          const proof = await step.look(now, told)
          return proof.ok ? proof : no(`${proof.said}. It is yours to do: ${step.command(told)}`)
        },
      }),
    ),
  ]
}
