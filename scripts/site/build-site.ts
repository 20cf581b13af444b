// The documents as a site of files that any static server serves. Nothing is asked of a network, neither here nor by the pages.
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'vitepress'
import type { SiteFacts } from './configuration.ts'
import { type BuiltFile, deadLinks } from './dead-links.ts'
import { pagesOf } from './pages.ts'

export interface SiteOptions {
  readonly root: string
  /** The folder of the site, which is emptied. */
  readonly directory: string
  /** The path that the site is served under, `/` or `/name/`. */
  readonly base: string
}

/** Builds the site. @returns its files, in the order of their paths @throws Error where a link leads nowhere, or a page is not in the navigation */
export async function buildSite({ root, directory, base }: SiteOptions): Promise<readonly BuiltFile[]> {
  const { version, homepage }: { readonly version: string; readonly homepage: string } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const pages = pagesOf(root)
  const facts: Omit<SiteFacts, 'pages'> = { root, version, base, directory, repository: homepage.replace(/#.*$/, '') }
  mkdirSync(join(root, '.ballast'), { recursive: true })
  // Below the clone, so that the generator finds its packages.
  const source = mkdtempSync(join(root, '.ballast', 'site-'))
  try {
    for (const [page, document] of pages) cpSync(join(root, document), join(source, page))
    cpSync(join(root, 'docs', 'pictures'), join(source, 'public', 'pictures'), { recursive: true })
    const own = join(source, '.vitepress')
    mkdirSync(join(own, 'theme'), { recursive: true })
    const configuration = pathToFileURL(join(import.meta.dirname, 'configuration.ts')).href
    const given = `{ ...${JSON.stringify(facts)}, pages: new Map(${JSON.stringify([...pages])}) }`
    writeFileSync(
      join(own, 'config.mjs'),
      `import { configuration } from ${JSON.stringify(configuration)}\nexport default configuration(${given})\n`,
    )
    // Pages use the fonts that a reader has.
    writeFileSync(join(own, 'theme', 'index.mjs'), "export { default } from 'vitepress/theme-without-fonts'\n")
    await build(source)
  } finally {
    rmSync(source, { recursive: true, force: true })
  }
  const files = globSync('**', { cwd: directory })
    .filter(path => statSync(join(directory, path)).isFile())
    .map(path => ({ path: path.replaceAll(sep, '/'), file: join(directory, path) }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const dead = deadLinks(files, base)
  if (dead.length > 0) throw new Error(`links lead nowhere:\n  ${dead.join('\n  ')}`)
  return files
}
