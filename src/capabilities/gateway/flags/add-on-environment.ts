// What the add-on's programs read of their environment, by upstream's rules: empty is not set, and what cannot be read ends the start, by name.

import { parseDurationMs } from '#kube/time/duration.ts'
import type { EnvironmentProblem } from '#process/drop-ins/parsed-settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

const booleans: Readonly<Record<string, boolean>> = {
  ...{ '1': true, t: true, T: true, true: true, TRUE: true, True: true },
  ...{ '0': false, f: false, F: false, false: false, FALSE: false, False: false },
}

/** Reads variables, and keeps what is wrong about them. */
export class AddOnEnvironment {
  readonly problems: EnvironmentProblem[] = []
  readonly warnings: string[] = []
  readonly #given: Environment

  constructor(given: Environment) {
    this.#given = given
  }

  /** The first of `names` that is set. */
  text(...names: readonly string[]): string | undefined {
    for (const name of names) {
      const value = this.#given[name]
      if (value !== undefined && value !== '') return value
    }
    return undefined
  }

  required(name: string): string {
    const value = this.text(name)
    if (value === undefined) this.#refuse(name, 'required environment variable is not set')
    return value ?? ''
  }

  flag(name: string, standard: boolean): boolean {
    const value = this.text(name)
    if (value === undefined) return standard
    const read = booleans[value]
    if (read === undefined) this.#refuse(name, `found ${JSON.stringify(value)}, expected true or false`)
    return read ?? standard
  }

  /** A port or a number; `standard` undefined: it has to be there. */
  whole(name: string, standard: number | undefined, most = 65_535): number {
    const value = standard === undefined ? this.required(name) : this.text(name)
    if (value === undefined || value === '') return standard ?? 0
    if (/^\d{1,9}$/.test(value) && Number(value) <= most) return Number(value)
    this.#refuse(name, `found ${JSON.stringify(value)}, expected a whole number up to ${most}`)
    return standard ?? 0
  }

  /** A Go duration, as it is written. */
  duration(name: string, standard: string): string {
    const value = this.text(name)
    if (value === undefined) return standard
    const parsed = parseDurationMs(value)
    if (parsed.ok && parsed.value >= 0) return value
    this.#refuse(name, `found ${JSON.stringify(value)}, expected a duration such as 30s`)
    return standard
  }

  /** The same, where an older name counts more, unless it says nothing or 0. */
  renamed(name: string, older: string, standard: string): string {
    const old = this.duration(older, '0s')
    const parsed = parseDurationMs(old)
    if (!parsed.ok || parsed.value <= 0) return this.duration(name, standard)
    this.warnings.push(`${older} is deprecated, use ${name} instead`)
    return old
  }

  /** Set, and without effect here. */
  unused(name: string, why: string, isHarmless: (value: string) => boolean = () => false): void {
    const value = this.text(name)
    if (value !== undefined && !isHarmless(value)) this.warnings.push(`${name} has no effect: ${why}`)
  }

  #refuse(name: string, error: string): void {
    this.problems.push({ message: `${name} cannot be used`, error })
  }
}
