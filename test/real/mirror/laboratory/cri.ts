// The one call of the container runtime interface that matters here: PullImage, as a kubelet asks it.
import { Client, credentials } from '@grpc/grpc-js'

const path = '/runtime.v1.ImageService/PullImage'
const limitMs = 120_000

/** Has containerd pull; yields the image's reference. @throws Error with what containerd said */
export async function pullByCri(socket: string, reference: string): Promise<string> {
  const client = new Client(`unix://${socket}`, credentials.createInsecure())
  try {
    return await new Promise<string>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        (image: string) => field(field(Buffer.from(image))), // PullImageRequest.image = 1, ImageSpec.image = 1
        (answer: Buffer) => answer.subarray(2).toString('utf8'), // PullImageResponse.image_ref = 1, shorter than 128 bytes
        reference,
        { deadline: new Date(Date.now() + limitMs) },
        (cause, answer) => (cause === null ? resolve(answer ?? '') : reject(cause)),
      )
    })
  } finally {
    client.close()
  }
}

/** Field 1 of a message, by length. */
function field(content: Buffer): Buffer {
  const length: number[] = []
  for (let left = content.length; ; left >>= 7) {
    if (left < 128) {
      length.push(left)
      break
    }
    length.push((left & 127) | 128)
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), content])
}
