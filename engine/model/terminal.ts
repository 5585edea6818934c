/** A port number, or the integer property that holds it. */
export type PortSource = number | { readonly property: string };

/** A typed port of an appliance as its description declares it. */
export type Terminal =
  | {
      readonly name: string;
      readonly direction: 'in' | 'external';
      readonly protocol: string;
      /** Where it listens inside the guest. */
      readonly port: PortSource;
    }
  | {
      readonly name: string;
      readonly direction: 'out';
      readonly protocol: string;
      /** Whether it may stay without a wire. */
      readonly optional: boolean;
    };
