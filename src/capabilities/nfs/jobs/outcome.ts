// What a decision came to: a value, or the sentence for whoever asked. Sentences are upstream's where upstream has one, since users search for them.

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string }

export const taken = <T>(value: T): Outcome<T> => ({ ok: true, value })
export const refused = (why: string): Outcome<never> => ({ ok: false, why })
