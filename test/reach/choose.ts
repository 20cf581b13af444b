// Which checks a run of CI has, and which it leaves: what the change can reach, and a quarter that goes round and runs whatever is known.

/** A check as it is chosen: its name and what it depends on. */
export interface Row {
  readonly name: string
  /** Every file that it depends on, from the root. */
  readonly files: readonly string[]
  /** One hash of the content of all of them. */
  readonly hash: string
}

/** When a row last passed whole on this machine, and on what. */
export interface Pass {
  readonly hash: string
  /** RFC 3339. */
  readonly at: string
}

/** `reached`: something that it depends on is other than when it passed; `turn`: of this run's quarter; both run.
 *  `seen`: it passed here on the same bytes; `open`: nobody has seen it here, and the change does not reach it. */
export type Standing = 'reached' | 'turn' | 'seen' | 'open'

export interface Choice<Of extends Row> {
  readonly row: Of
  readonly standing: Standing
}

interface Known {
  readonly passes: Readonly<Record<string, Pass>>
  /** Files that the change touches: where a row never passed here, they say whether it is reached. */
  readonly changed: ReadonlySet<string>
  /** From 1 to 4. */
  readonly turn: number
}

/** How many runs it takes until each row had its turn. */
export const turns = 4

/** Every row with what becomes of it, in the order of `rows`. */
export function choose<Of extends Row>(rows: readonly Of[], { passes, changed, turn }: Known): readonly Choice<Of>[] {
  return rows.map((row, at) => {
    const pass = passes[row.name]
    const isReached = pass === undefined ? row.files.some(file => changed.has(file)) : pass.hash !== row.hash
    if (isReached) return { row, standing: 'reached' }
    if (at % turns === (turn - 1) % turns) return { row, standing: 'turn' }
    return { row, standing: pass === undefined ? 'open' : 'seen' }
  })
}

/** A line that counts what a run has and leaves. */
export function toldOf(choices: readonly Choice<Row>[]): string {
  const count = (standing: Standing) => choices.filter(one => one.standing === standing).length
  return `${count('reached')} reached by the change, ${count('turn')} by turn, ${count('seen')} seen passing on the same files, ${count('open')} open`
}
