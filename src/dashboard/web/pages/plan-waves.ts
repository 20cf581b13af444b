// Where moves stand in their waves.
import type { Move } from '../../contract.ts'

/** `1.2`, the second move of wave 1, by id. */
export function placesOf(moves: readonly Pick<Move, 'id' | 'wave'>[]): ReadonlyMap<string, string> {
  const counts = new Map<number, number>()
  return new Map(
    moves.map(({ id, wave }) => {
      const place = (counts.get(wave) ?? 0) + 1
      counts.set(wave, place)
      return [id, `${wave}.${place}`]
    }),
  )
}

/** Each wave with the index of its first move, in order. */
export function firstOfWaves(moves: readonly Pick<Move, 'wave'>[]): readonly { readonly wave: number; readonly index: number }[] {
  return moves.flatMap(({ wave }, index) => (index === 0 || moves[index - 1]?.wave !== wave ? [{ wave, index }] : []))
}
