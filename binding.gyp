# For node-gyp and prebuildify. The build itself is CMakeLists.txt, which has the only list of sources.
{
  "targets": [
    {
      "target_name": "torch_t5",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/torch_t5.node", "build/Release/torch_t5_preload.node"],
          "action": ["node", "scripts/gyp-build.mjs"]
        }
      ]
    }
  ]
}
