// What a look at a cluster proves.

export interface Proof {
  readonly ok: boolean
  /** What was seen, or what is missing and how to get it. */
  readonly said: string
}

export const yes = (said: string): Proof => ({ ok: true, said })
export const no = (said: string): Proof => ({ ok: false, said })
