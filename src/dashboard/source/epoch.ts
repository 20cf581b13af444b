// What tells one life of a picture from another: a process, a leader, a load of a twin.
import { type Random, randomUuid } from '#kube/random.ts'

/** `e` and eight hexadecimal digits. `random` is the host's: a seeded one would name two processes alike. */
export function newEpoch(random: Random): string {
  return `e${randomUuid(random).slice(0, 8)}`
}
