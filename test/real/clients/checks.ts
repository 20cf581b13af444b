// Clients against the real server and the twin: what was recorded is still so, and live clients come to the same on the twin.

import { documentFidelity, twinDocuments } from '../../fidelity-documents.ts'
import { fidelityOf, fidelityOfRecording, fidelityTable, recordedClients } from '../../fidelity-table.ts'
import type { Check } from '../check.ts'
import { reloaderPort } from '../upstreams/build.ts'
import { killedLeaderCheck } from './killed-leader.ts'
import { playOnTwin } from './live.ts'
import { record } from './record.ts'
import { realDocuments } from './record-documents.ts'
import { clientScenarios } from './scenarios.ts'

/** Recorded anew by every run: these ask for most kinds of answers. */
const recordedAnew = ['client-go-typed-writes', 'controller-runtime-manager', 'helm']

export const clientChecks: readonly Check[] = [
  killedLeaderCheck,
  {
    name: 'fidelity: what clients were answered is what the twin answers',
    async run() {
      const rows = []
      for (const file of recordedClients) rows.push(await fidelityOf(file))
      const open = rows.flatMap(row => row.open)
      if (open.length > 0) throw new Error(open.join('\n'))
      return `\n${fidelityTable(rows)}\n${recordedClients.length} recordings`
    },
  },
  {
    name: 'fidelity: discovery and OpenAPI of the twin are those of the server in what clients look at',
    async run() {
      const rows = documentFidelity(await realDocuments(), await twinDocuments())
      const open = rows.flatMap(row => row.open)
      if (open.length > 0) throw new Error(JSON.stringify(open, undefined, 2))
      const [fields, reproduced] = (['fields', 'reproduced'] as const).map(name => rows.reduce((sum, row) => sum + row[name], 0))
      return `${reproduced} of ${fields} fields of ${rows.length} documents`
    },
  },
  ...clientScenarios
    .filter(({ name }) => recordedAnew.includes(name))
    .map(scenario => ({
      name: `fidelity: ${scenario.name}, recorded anew, differs from the twin in nothing unknown`,
      async run() {
        const { open, exchanges, fields, reproducedFields } = await fidelityOfRecording(await record(scenario), true)
        if (open.length > 0) throw new Error(open.join('\n'))
        return `${exchanges} exchanges, ${reproducedFields} of ${fields} fields`
      },
    })),
  ...clientScenarios.map(scenario => ({
    ...(scenario.name === 'reloader' && { port: reloaderPort }),
    name: `${scenario.name} (${scenario.version}) comes to the same on the twin as on the real server`,
    async run() {
      return (await playOnTwin(scenario)).slice(-2).join(', ')
    },
  })),
]
