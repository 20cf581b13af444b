// Records the best plans of the clusters of src/planning/testdata/optimum-clusters.ts, as the independent model beside this file proves them:
//   python3 -m venv VENV && VENV/bin/pip install ortools==9.15.6755
//   node bin/set-up node scripts/optima/main.ts VENV/bin/python
// It takes some ten minutes. Tests read what it wrote and need no Python.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dumpHash } from '../../src/planning/testdata/optima.ts'
import { dumpOf, type Family, families, optimumCluster } from '../../src/planning/testdata/optimum-clusters.ts'

const [python = 'python3'] = process.argv.slice(2)
const model = join(import.meta.dirname, 'model.py')
const fixture = join(import.meta.dirname, '../../src/planning/testdata/optima.json')
const directory = mkdtempSync(join(tmpdir(), 'optima-'))
const run = (...args: readonly string[]) =>
  execFileSync(python, [model, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()
try {
  const lines: string[] = []
  for (const family of Object.keys(families) as Family[]) {
    for (let seed = 1; seed <= families[family]; seed++) {
      const cluster = optimumCluster(family, seed)
      const file = join(directory, `${family}-${seed}.json`)
      writeFileSync(file, dumpOf(cluster))
      const nodes = cluster.objects.filter(({ kind }) => kind === 'Node').length
      const answer: object = JSON.parse(run(file))
      lines.push(JSON.stringify({ family, seed, nodes, hash: dumpHash(cluster), ...answer }))
      console.log(lines.at(-1))
    }
  }
  const head = `"solver":${JSON.stringify(run('--version'))},"command":"node bin/set-up node scripts/optima/main.ts PYTHON"`
  writeFileSync(fixture, `{${head},"optima":[\n${lines.join(',\n')}\n]}\n`)
} finally {
  rmSync(directory, { recursive: true })
}
