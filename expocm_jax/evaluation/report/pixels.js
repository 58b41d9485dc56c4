// From the embedded bytes to canvases. Radiance is linear BT.709, 1.0 = the input's white.
"use strict";

const MASK_COLORS = [[214, 69, 61], [72, 160, 92], [66, 113, 214]]; // over, good, under
const HEAT = [[0, 0, 0], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66],
  [245, 125, 21], [250, 193, 39], [252, 255, 164]];
const ERROR_TOP = 0.25; // of the mu-law range, at the right end of the legend

// sRGB code of round(65535 * linear): off by less than 0.06 of a code before rounding.
const TO_SRGB = Uint8Array.from({length: 65536}, (_, i) => {
  const x = i / 65535;
  return Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
});
const FROM_SRGB = Float32Array.from({length: 256}, (_, i) => {
  const x = i / 255;
  return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
});

// RGBA bytes of a lossless picture, without colour management.
async function codes(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const options = {colorSpaceConversion: "none", premultiplyAlpha: "none"};
  const bitmap = await createImageBitmap(new Blob([bytes], {type: "image/webp"}), options);
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext("2d", {willReadFrequently: true, colorSpace: "srgb"});
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}

// Radiance of each 16-bit code: 2^(code / steps - stops) - 2^-stops.
let radianceOf = null;
function prepareCodes([steps, stops]) {
  radianceOf = Float32Array.from({length: 1 << 14}, (_, code) => 2 ** (code / steps - stops) - 2 ** -stops);
}

// Three floats a pixel from the low and the high bytes of the codes.
async function radiance([lowBytes, highBytes]) {
  const [low, high] = await Promise.all([codes(lowBytes), codes(highBytes)]);
  const out = new Float32Array(low.length / 4 * 3);
  for (let i = 0, j = 0; i < low.length; i += 4, j += 3) {
    for (let k = 0; k < 3; k++) out[j + k] = radianceOf[low[i + k] + 256 * high[i + k]];
  }
  return out;
}

async function linearised(picture) {
  const c = await codes(picture);
  const out = new Float32Array(c.length / 4 * 3);
  for (let i = 0, j = 0; i < c.length; i += 4, j += 3) {
    for (let k = 0; k < 3; k++) out[j + k] = FROM_SRGB[c[i + k]];
  }
  return out;
}

async function decodePicture(packed) {
  const [input, output, reference, masks] = await Promise.all([
    linearised(packed.ldr),
    radiance(packed.output),
    radiance(packed.reference),
    codes(packed.masks),
  ]);
  return {input, output, reference, masks};
}

function paint(canvas, [height, width], colorOf) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    colorOf(i, image.data, 4 * i);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function paintExposed(canvas, size, linear, ev) {
  const scale = 2 ** ev * 65535;
  paint(canvas, size, (i, out, at) => {
    for (let k = 0; k < 3; k++) {
      out[at + k] = TO_SRGB[Math.min(65535, Math.round(linear[3 * i + k] * scale))];
    }
  });
}

function paintMasks(canvas, size, masks) {
  paint(canvas, size, (i, out, at) => {
    for (let k = 0; k < 3; k++) {
      out[at + k] = MASK_COLORS.reduce((sum, color, m) => sum + color[k] * masks[4 * i + m] / 255, 0);
    }
  });
}

function heat(share) {
  const x = Math.min(1, share) * (HEAT.length - 1);
  const low = Math.min(HEAT.length - 2, Math.floor(x));
  return HEAT[low].map((value, k) => value + (HEAT[low + 1][k] - value) * (x - low));
}

// |T(output) - T(reference)|, the mean over the channels; returns the mean over the picture.
function paintError(canvas, size, output, reference, headroom, mu) {
  const curve = (x) => Math.log1p(mu * Math.min(1, x / headroom)) / Math.log1p(mu);
  let total = 0;
  paint(canvas, size, (i, out, at) => {
    let error = 0;
    for (let j = 3 * i; j < 3 * i + 3; j++) {
      if (output[j] !== reference[j]) error += Math.abs(curve(output[j]) - curve(reference[j])) / 3;
    }
    total += error;
    heat(error / ERROR_TOP).forEach((value, k) => { out[at + k] = value; });
  });
  return total / (size[0] * size[1]);
}
