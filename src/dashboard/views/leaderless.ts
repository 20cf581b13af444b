// Whether anybody does what plans say: where no controller leads, no page announces that something will happen.
import type { Sentence } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { nobodyLeads } from '../words/en-verdict.ts'
import { sourceNamed } from './sources.ts'

/** Said where nobody leads who would do what the books say. */
export function leaderless(picture: Picture): Sentence | undefined {
  const { state = 'live', because = null } = sourceNamed(picture, 'controller') ?? {}
  return (state === 'down' || state === 'off') && because !== null ? nobodyLeads({ because }) : undefined
}
