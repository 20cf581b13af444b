// What the bundler does to the program besides bundling: files come along, and what nobody uses is not loaded.
import { existsSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import type { Plugin } from 'rolldown'

const placed = /new URL\(\s*(['"])(\.{0,2}[^'"]*?[^'"/])\1\s*,\s*import\.meta\.url\s*\)/g

/** `new URL('../x/y.json', import.meta.url)` names a file by its place in the source: it comes along as `assets/y.json`, and the name follows. */
export function placedAssets(root: string, assets: Map<string, string>): Plugin {
  return {
    name: 'placed-assets',
    transform(code, id) {
      if (!code.includes('import.meta.url')) return null
      const moved = code.replace(placed, (whole, _quote, reference: string) => {
        const path = resolve(dirname(id), reference)
        if (!existsSync(path)) {
          if (!path.startsWith(join(root, 'src'))) return whole
          throw new Error(`${id}: ${reference} is not there`)
        }
        if (!relative(path, root).startsWith('..')) throw new Error(`${id}: ${reference} holds the whole repository`)
        const name = join('assets', relative(root, path).split('/').at(-1) ?? '')
        const before = assets.get(name)
        if (before !== undefined && before !== path) throw new Error(`${id}: ${name} is ${before} already`)
        assets.set(name, path)
        return `new URL('./${name}', import.meta.url)`
      })
      return moved === code ? null : moved
    },
  }
}

/** Begins the name of a module that a plugin has made up. */
export const mark = '\0'

const builtInMark = `${mark}built-in:`

/**
 * Takes Node's own modules as they are. An import statement would read each of their properties, and reading those of `node:http` alone
 * loads the whole of fetch: 13 MB that nobody asked for.
 */
export function plainBuiltIns(): Plugin {
  return {
    name: 'plain-built-ins',
    resolveId(source, _importer, { kind }) {
      return isBuiltin(source) && kind === 'import-statement' ? `${builtInMark}${source}` : null
    },
    load(id) {
      if (!id.startsWith(builtInMark)) return null
      const name = id.slice(builtInMark.length)
      const exported = Object.keys(process.getBuiltinModule(name) ?? {}).filter(
        key => key !== 'default' && /^[A-Za-z_$][\w$]*$/.test(key),
      )
      const read = exported.map(key => `const _${key} = /* @__PURE__ */ read('${key}');`)
      return [
        `const all = process.getBuiltinModule('${name}');`,
        'const read = key => all[key];',
        ...read,
        `export { all as default, ${exported.map(key => `_${key} as ${key}`).join(', ')} };`,
      ].join('\n')
    },
  }
}

const unusedMark = `${mark}unused:`

/**
 * Leaves WebAssembly of noise out: it is compiled as soon as its package is loaded, 8 MiB, and our mirror hands its own cryptography in
 * (`mirror/peers/encryption.ts`). What stands in its place throws.
 */
export function withoutUnused(): Plugin {
  const unused = ['@chainsafe/as-chacha20poly1305', '@chainsafe/as-sha256']
  return {
    name: 'without-unused',
    resolveId: source => (unused.includes(source) ? `${unusedMark}${source}` : null),
    load(id) {
      if (!id.startsWith(unusedMark)) return null
      return [
        `const fail = () => { throw new Error('${id.slice(unusedMark.length)} is left out of the bundle') };`,
        'export const newInstance = () => undefined;',
        'export const digest = fail;',
        'export class ChaCha20Poly1305 { seal() { fail() } open() { fail() } }',
      ].join('\n')
    },
  }
}

const localeOrder = /(\b\w+(?:\.\w+(?:\(\))?)*)\.localeCompare\(((?:[^()]|\(\))*)\)/g
const orderedByLocale = /\/node_modules\/@libp2p\/(?:peer-store|peer-record)\//

/**
 * Lets libp2p's store of peers order addresses and protocols by their characters. By a language's rules, which it asks for, the first of them loads
 * those rules: 2.5 MiB in each mirror, for an order that only has to be the same each time.
 */
export function plainOrder(): Plugin {
  return {
    name: 'plain-order',
    transform(code, id) {
      if (!orderedByLocale.test(id) || !code.includes('localeCompare')) return null
      const ordered = code.replace(localeOrder, '($1 < $2 ? -1 : $1 > $2 ? 1 : 0)')
      if (ordered.includes('localeCompare')) throw new Error(`${id}: an order by language that is written in another way`)
      return ordered
    },
  }
}
