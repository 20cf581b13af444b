// What `ballast why` asks in the name of planned moves.
import type { AskedPod, CapabilityQuestion, Fit } from '#coordination/account/asker.ts'
import type { Intent } from '#coordination/intent.ts'

export const moveQuestions: readonly CapabilityQuestion[] = [
  {
    name: 'move',
    words: 'move it',
    place: 1,
    about: 'pod',
    wish: ({ pod, surging, requirements: { requireBudget, unlabelled, ignoreScalers }, places }) => {
      const found = places({ stays: surging !== undefined })
      return {
        verb: surging === undefined ? 'evict' : 'restart',
        purpose: 'move',
        class: 'balance',
        ...(surging === undefined ? {} : { targets: [surging] }),
        requireBudget,
        unlabelled,
        ignoreScalers,
        ...relocationOf(pod, found),
        ...found,
      }
    },
  },
]

/** Where it fits on one node only, that is where it would go; of several nobody has chosen yet. */
function relocationOf({ nodeName }: AskedPod['pod'], { proof }: Fit): Pick<Intent, 'relocation'> {
  const [to, ...others] = proof?.nodes ?? []
  if (nodeName === undefined || to === undefined || others.length > 0) return {}
  return { relocation: { from: nodeName, to: [to] } }
}
