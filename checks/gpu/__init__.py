"""What only a GPU can show: half precision, CUDA's noise, compiled blocks, speed and memory."""
