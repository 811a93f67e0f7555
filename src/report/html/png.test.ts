import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { drawnDigit, trafficSign } from "../../../test/golden/sample/pictures.ts";
import { pngUrl } from "./png.ts";

describe("pngUrl", () => {
  it.each([
    ["grey", drawnDigit(3)],
    ["colour", trafficSign()],
  ])("is a file that another decoder reads back, pixel for pixel: %s", async (_, picture) => {
    const file = Buffer.from(pngUrl(picture)!.replace("data:image/png;base64,", ""), "base64");
    const { data, info } = await sharp(file)
      .toColourspace(picture.channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: picture.width, height: picture.height, channels: picture.channels });
    expect(data.toString("base64")).toBe(picture.pixels);
  });

  it.each([
    [{ width: 2 }],
    [{ width: 0 }],
    [{ width: 1e9, height: 1e9 }],
    [{ width: 1.5 }],
    [{ channels: 2 as 1 }],
    [{ pixels: "!!!!" }],
    [{ pixels: "A".repeat(1e6) }],
  ])("is null where sizes do not fit: %j", (change) => {
    expect(pngUrl({ width: 1, height: 1, channels: 1, pixels: "AA==", ...change })).toBeNull();
  });
});
