import type { Blobs } from '../model/blob.ts';
import { renderInstance } from '../render/render-instance.ts';
import type { Renderer } from '../render/renderer.ts';
import type { RenderFiles } from './context.ts';

/** Renders an instance's files from the templates that lie in the blob store. */
export function renderFromBlobs(blobs: Blobs, renderer: Renderer): RenderFiles {
  return async (state, inputs) =>
    await renderInstance(state, {
      ...inputs,
      readTemplate: async (digest) => Buffer.from(await blobs.read(digest)).toString(),
      renderer,
    });
}
