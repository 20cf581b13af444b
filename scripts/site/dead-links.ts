// What the built pages name, against what was built: the generator itself looks at pages only, not at anchors or files.
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'

export interface BuiltFile {
  /** Path in the site, with `/`. */
  readonly path: string
  /** Where it lies. */
  readonly file: string
}

/**
 * Links of the site's pages that lead nowhere in it, a sentence each. Links to other hosts are not asked.
 * `base` is the path that the site is served under; a link that leads out of it is dead.
 */
export function deadLinks(files: readonly BuiltFile[], base: string): readonly string[] {
  const pages = new Map(
    files
      .filter(({ path }) => path.endsWith('.html'))
      .map(({ path, file }) => [path, parsed(readFileSync(file, 'utf8'))] as const),
  )
  const present = new Set(files.map(({ path }) => path))
  return [...pages].flatMap(([path, { targets }]) =>
    [...targets].flatMap(target => {
      const url = new URL(target, `http://site${base}${path}`)
      if (url.host !== 'site') return []
      const inside = decodeURIComponent(url.pathname.slice(base.length))
      const found = inside === '' || inside.endsWith('/') ? posix.join(inside, 'index.html') : inside
      if (!url.pathname.startsWith(base) || !present.has(found)) return [`${path}: ${target} leads to no file of the site`]
      const anchor = decodeURIComponent(url.hash.slice(1))
      const ids = pages.get(found)?.ids
      return anchor === '' || ids?.has(anchor) === true ? [] : [`${path}: ${found} has no heading #${anchor}`]
    }),
  )
}

/** What the generator writes has every attribute in double quotes. */
function parsed(html: string): { readonly ids: ReadonlySet<string>; readonly targets: ReadonlySet<string> } {
  const ofAttribute = (pattern: RegExp) => [...html.matchAll(pattern)].map(([, value = '']) => value.replaceAll('&amp;', '&'))
  return {
    ids: new Set(ofAttribute(/<[a-z][^<>]*? id="([^"]*)"/g)),
    targets: new Set(ofAttribute(/<[a-z][^<>]*? (?:href|src)="([^"]*)"/g)),
  }
}
