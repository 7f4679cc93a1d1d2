// What is checked: each returns how many of its checks failed, and says which on stderr.
#pragma once

namespace check {

int math();       // exp, tanh, sigmoid
int sequences();  // forward and backward of every cell
int together();   // several threads at once, each with a team
int samplers();   // nats and draws of a stack
int updates();    // optimizers' steps with clipping
int networks();   // the loss of a whole network and its gradients

}  // namespace check
