import { Engine } from '../engine/engine.ts';
import type { Settings } from './settings.ts';

/** Puts the engine together; the one place that names the drivers. Cheap: nothing is opened or tried before it is needed. */
export async function composeEngine(settings: Settings): Promise<Engine> {
  void settings;
  return new Engine();
}
