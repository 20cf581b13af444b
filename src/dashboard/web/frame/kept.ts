// What a viewer chose, kept in the browser where it allows that, else until the page is closed.

const here = new Map<string, string>()

/** What was kept under a name. */
export function kept(name: string): string | undefined {
  try {
    return localStorage.getItem(`ballast.${name}`) ?? here.get(name)
  } catch {
    // Storage is refused: what was chosen holds as long as the page.
    return here.get(name)
  }
}

/** Keeps a value; undefined forgets it. */
export function keep(name: string, value: string | undefined): void {
  if (value === undefined) here.delete(name)
  else here.set(name, value)
  try {
    if (value === undefined) localStorage.removeItem(`ballast.${name}`)
    else localStorage.setItem(`ballast.${name}`, value)
  } catch {
    // Storage is refused or full: what was chosen holds as long as the page.
  }
}
