// Records what the real server says about itself: `node test/real/clients/record-documents.ts` writes test/fixtures/server-documents.json.gz.
import { writeFileSync } from 'node:fs'
import { documentsFile, documentsOf, type ServerDocuments } from '../../fidelity-documents.ts'
import { packed } from '../../fidelity-exchange.ts'
import { startControlPlane } from '../control-plane/start.ts'

/** Discovery and schemas of a real server without definitions of its users. */
export async function realDocuments(): Promise<ServerDocuments> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
  try {
    return await documentsOf(async (path, accept) => (await plane.client.send('GET', path, undefined, undefined, accept)).body)
  } finally {
    await plane.stop()
  }
}

if (import.meta.main) {
  const documents = await realDocuments()
  const bytes = packed(JSON.stringify(documents))
  writeFileSync(documentsFile, bytes)
  console.log(`${Object.keys(documents).length} documents, ${bytes.byteLength} bytes`)
}
