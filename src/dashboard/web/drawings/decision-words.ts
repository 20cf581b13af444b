// What a decision is called, and its sign: shape and word carry the meaning, colour only helps.
import type { Decision } from '../../contract.ts'

const words: Readonly<Record<Decision, readonly [sign: string, word: string]>> = {
  granted: ['●', 'granted'],
  queued: ['◔', 'waiting'],
  denied: ['✕', 'denied'],
  coalesced: ['⋈', 'merged'],
  observed: ['○', 'observed'],
  'no-op': ['–', 'nothing to do'],
  dropped: ['–', 'dropped'],
}

/** `●`, `✕`. */
export function decisionSign(decision: Decision): string {
  return words[decision][0]
}

/** `granted`, `waiting`. */
export function decisionWord(decision: Decision): string {
  return words[decision][1]
}
